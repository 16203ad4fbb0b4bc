"""Encodings, primitives, frames and the graph of suite 1: sections 1 to 4 of docs/protocol.md, and nothing else."""

import struct
from functools import cache
from hashlib import sha256
from math import floor

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ADVERTISE, ROSTER, SHARES, SHARES_FWD, MASKED, SURVIVORS, ACK, ACKS, UNMASK = range(16, 25)
DONE = 26
COORDINATOR = 0xFFFF
CHUNK_BYTES = 1 << 20


# Section 1: conventions.

u8, u16, u32, f64 = (struct.Struct(f).pack for f in (">B", ">H", ">I", ">d"))


def var(value):
    return u32(len(value)) + value


def text(value):
    return var(value.encode())


def encode_list(items):
    return u32(len(items)) + b"".join(items)


def bitmap(members, n):
    bits = bytearray((n + 7) // 8)
    for i in members:
        bits[i // 8] |= 1 << (i % 8)
    return bytes(bits)


def pack(values, bits):
    number = sum((value % (1 << bits)) << (i * bits) for i, value in enumerate(values))
    return number.to_bytes((len(values) * bits + 7) // 8, "little")


def unpack(packed, count, bits):
    number = int.from_bytes(packed, "little")
    if len(packed) != (count * bits + 7) // 8 or number >> (count * bits):
        raise ValueError("a packed vector of another length, or with bits beyond its end")
    return [(number >> (i * bits)) % (1 << bits) for i in range(count)]


def signed(value, bits):
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


class Reader:
    def __init__(self, source):
        self.source, self.at = source, 0

    def raw(self, length):
        if self.at + length > len(self.source):
            raise ValueError("a message that is too short")
        self.at += length
        return self.source[self.at - length : self.at]

    def number(self, layout):
        return struct.unpack(layout, self.raw(struct.calcsize(layout)))[0]

    def text(self):
        return self.raw(self.number(">I")).decode()

    def list(self, item):
        return [item() for _ in range(self.number(">I"))]

    def end(self):
        if self.at != len(self.source):
            raise ValueError("bytes after the last field")


# Section 1, primitives.


def hkdf(secret, salt, info):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


@cache
def x25519_private(secret):
    """Cached: the import computes the public key, which costs ten times what an agreement does."""
    return X25519PrivateKey.from_private_bytes(secret)


def x25519(secret, public):
    return x25519_private(secret).exchange(X25519PublicKey.from_public_bytes(public))


def public_key(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def verifies(public, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except InvalidSignature:
        return False


def mask(key, dimension, bits, lane):
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    stream = encryptor.update(bytes(dimension * lane))
    return [int.from_bytes(stream[i : i + lane], "little") % (1 << bits) for i in range(0, len(stream), lane)]


@cache
def times(factor):
    """The products of one field element with all 256, for bytes.translate."""

    def multiply(a, b):
        product = 0
        while b:
            product ^= a if b & 1 else 0
            a = (a << 1) ^ (0x11B if a & 0x80 else 0)
            b >>= 1
        return product

    return bytes(multiply(factor, b) for b in range(256))


def invert(element):
    return times(element).index(1)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def share(coefficients, slot):
    """Horner's rule, byte by byte; coefficients[0] is the secret."""
    value = bytes(32)
    for coefficient in reversed(coefficients):
        value = xor(value.translate(times(slot)), coefficient)
    return value


def interpolate(shares):
    """The secret behind {slot: share}: Lagrange's polynomial at 0."""
    secret = bytes(32)
    for x, value in shares.items():
        weight = 1
        for other in shares:
            if other != x:
                weight = times(weight)[times(other)[invert(other ^ x)]]
        secret = xor(secret, value.translate(times(weight)))
    return secret


# Section 3.2: the agreement.


def decode_agreement(source):
    reader = Reader(source)
    agreement = {
        "suite": reader.number(">B"),
        "mode": reader.text(),
        "level": reader.text(),
        "population": reader.text(),
        "taskId": reader.raw(16),
        "roundId": reader.raw(16),
        "modelHash": reader.raw(32),
        "parameters": reader.raw(reader.number(">I")),
    }
    reader.end()
    reader = Reader(agreement["parameters"])
    read_slot = lambda: (reader.text(), reader.number(">d"), reader.number(">d"), reader.text())
    agreement.update(
        dimension=reader.number(">I"),
        bits=reader.number(">B"),
        levels=reader.number(">I"),
        clip=reader.number(">d"),
        slots=reader.list(read_slot),
        transforms=reader.list(reader.text),
        corrupted=reader.number(">d"),
        dropped=reader.number(">d"),
        rule=reader.text(),
        sigma=reader.number(">H"),
        eta=reader.number(">H"),
        min_cohort=reader.number(">I"),
        min_honest=reader.number(">I"),
        max_cohort=reader.number(">I"),
        fixed_cohort=reader.number(">I"),
        min_survivors=reader.number(">I"),
        noise=reader.number(">d"),
    )
    reader.end()
    return agreement


def encode_agreement(a):
    slots = [text(name) + f64(largest) + f64(scale) + text(excess) for name, largest, scale, excess in a["slots"]]
    parameters = b"".join([
        u32(a["dimension"]), u8(a["bits"]), u32(a["levels"]), f64(a["clip"]), encode_list(slots),
        encode_list([text(t) for t in a["transforms"]]), f64(a["corrupted"]), f64(a["dropped"]), text(a["rule"]),
        u16(a["sigma"]), u16(a["eta"]), u32(a["min_cohort"]), u32(a["min_honest"]), u32(a["max_cohort"]),
        u32(a["fixed_cohort"]), u32(a["min_survivors"]), f64(a["noise"]),
    ])  # fmt: skip
    head = u8(a["suite"]) + text(a["mode"]) + text(a["level"]) + text(a["population"])
    return head + a["taskId"] + a["roundId"] + a["modelHash"] + var(parameters)


def context_hash(a):
    p = text(a["mode"]) + text(a["level"]) + var(a["parameters"])
    terms = u8(a["suite"]) + text(a["population"]) + a["taskId"] + a["roundId"] + a["modelHash"] + var(p)
    return sha256(text("murmuration-secagg/1") + terms).digest()


# Section 4: the graph.


def graph_parameters(n, corrupted, dropped, rule):
    """(kind, A, k, t, D), without the finder: a recorded session is too small for it."""
    A, D = (floor(fraction * n * (1 + 1e-9)) for fraction in (corrupted, dropped))
    if rule == "complete" or n <= 64:
        k, most = n - 1, n // 3
        t = (most + k) // 2 + 1
        if A > most or D > k - t:
            raise ValueError("γ and δ ask for more than the complete graph bears")
        return "complete", most, k, t, k - t
    k = next(k for k in range(2, n, 2) if k - D >= (A + k) // 2 + 1 and k > A + D)
    if k > 254:
        raise ValueError("a cohort for the finder")
    return "harary", A, k, (A + k) // 2 + 1, D


def neighbours_of(u, n, kind, k):
    if kind == "complete":
        return [v for v in range(n) if v != u]
    return sorted((u + step) % n for step in range(-k // 2, k // 2 + 1) if step)


# Section 2: frames.


def encode_frame(kind, round_id, binding, sender, body, sequence=0):
    head = b"MRMN" + u8(2) + u8(kind) + u8(1) + u8(0) + round_id + binding
    return head + u16(sender) + u16(sequence) + u32(len(body)) + body


def decode_frame(frame):
    reader = Reader(frame)
    fields = {
        "magic": reader.raw(4),
        "version": reader.number(">B"),
        "type": reader.number(">B"),
        "suite": reader.number(">B"),
        "flags": reader.number(">B"),
        "roundId": reader.raw(16),
        "binding": reader.raw(32),
        "sender": reader.number(">H"),
        "sequence": reader.number(">H"),
    }
    fields["body"] = reader.raw(reader.number(">I"))
    reader.end()
    return fields
