"""Suite 1, a second time: from docs/protocol.md alone, over Python's `cryptography`, held to one recorded session.

    /usr/bin/python3 -B tests/secagg/suite1.py < tests/vectors/secagg-session.json

Everything is derived again from the names of the devices and their inputs, and compared with the recorded values and
frames. Prints {"checks": number, "failures": [text, ...]} on one line; exits 1 when there is a failure.
"""

import json
import struct
import sys
from hashlib import sha256
from math import ceil, sqrt

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from suite1_primitives import (
    ACK, ACKS, ADVERTISE, CHUNK_BYTES, COORDINATOR, DONE, MASKED, ROSTER, SHARES, SHARES_FWD, SURVIVORS, UNMASK,
    Reader, bitmap, context_hash, decode_agreement, decode_frame, encode_agreement, encode_frame, encode_list, f64,
    graph_parameters, hkdf, interpolate, mask, neighbours_of, pack, public_key, share, signed, text, u8, u16, unpack,
    var, verifies, x25519, x25519_private,
)  # fmt: skip

NOW_SECONDS, EXPIRY_SECONDS = 1_800_000_000, 1_800_003_600


class Checks:
    """Counts comparisons and keeps what differed."""

    def __init__(self):
        self.count = 0
        self.failures = []

    def equal(self, what, derived, recorded):
        self.count += 1
        if derived != recorded:
            shown = [v.hex() if isinstance(v, bytes) else str(v) for v in (derived, recorded)]
            self.failures.append(f"{what}: derived {shown[0][:200]}, recorded {shown[1][:200]}")

    def that(self, what, holds):
        self.equal(what, bool(holds), True)


# Section 10: the secrets of a recorded device.


class Draws:
    def __init__(self, number):
        self.number, self.block = number, 0

    def take(self, length):
        count = (length + 31) // 32
        blocks = [sha256(f"device-{self.number}/{self.block + i}".encode()).digest() for i in range(count)]
        self.block += count
        return b"".join(blocks)[:length]


class Device:
    def __init__(self, name):
        self.name, self.number = name, int(name.split("-")[1])
        self.identity_seed = sha256(f"identity-{self.number}".encode()).digest()
        self.identity = Ed25519PrivateKey.from_private_bytes(self.identity_seed)
        self.id_pk = public_key(self.identity)
        self.draws = Draws(self.number)
        self.channel_secret, self.mask_secret, self.seed = (self.draws.take(32) for _ in range(3))
        self.channel_pk, self.mask_pk = (
            public_key(x25519_private(s)) for s in (self.channel_secret, self.mask_secret)
        )

    def draw_polynomials(self, threshold):
        """Coefficients of b_u's polynomials, then of s_u's, each as threshold strings of 32 bytes."""
        self.polynomials = []
        for secret in (self.seed, self.mask_secret):
            drawn = self.draws.take(32 * (threshold - 1))
            self.polynomials.append([secret] + [drawn[i : i + 32] for i in range(0, len(drawn), 32)])


class Session:
    """The session as it must have gone, and its comparison with the record."""

    def __init__(self, golden):
        self.golden, self.checks = golden, Checks()
        self.frames = [(f["device"], f["direction"], bytes.fromhex(f["frame"])) for f in golden["transcript"]]
        # (device, direction, type, sequence) -> the frame that must be there
        self.expected = {}

    def hex(self, what, derived, recorded):
        self.checks.equal(what, derived.hex(), recorded)

    def run(self):
        exchanges = (self.advertise, self.derive, self.share, self.mask, self.confirm, self.unmask)
        for step in (self.agree, *exchanges, self.compare):
            try:
                step()
            except Exception as error:  # what follows would only repeat this failure
                self.checks.failures.append(f"{step.__name__}: {type(error).__name__}: {error}")
                break
        return self.checks

    def send(self, device, direction, kind, binding, sender, body, sequence=0):
        frame = encode_frame(kind, self.agreement["roundId"], binding, sender, body, sequence)
        self.expected[(device.name, direction, kind, sequence)] = frame

    def recorded(self, device, direction, kind):
        """The body of the recorded frames of one type, chunks joined; a missing frame is an error."""
        found = [f for name, way, f in self.frames if name == device.name and way == direction and f[5] == kind]
        if not found:
            raise ValueError(f"no frame of type {kind} for {device.name}")
        return b"".join(decode_frame(f)["body"] for f in found)

    def sent(self, kind):
        names = {name for name, way, f in self.frames if way == "up" and f[5] == kind}
        return [u for u, device in enumerate(self.devices) if device.name in names]

    def agree(self):
        golden, check = self.golden, self.checks
        encoded = bytes.fromhex(golden["agreement"])
        self.agreement = a = decode_agreement(encoded)
        check.equal("agreement encodes to itself", encode_agreement(a), encoded)
        check.equal("d, b", (a["dimension"], a["bits"]), (golden["dimension"], golden["bits"]))
        check.equal("suite, mode, level", (a["suite"], a["mode"], a["level"]), (1, "masked", "active-server"))
        largest = max([a["levels"]] + [scale * top for _, top, scale, _ in a["slots"]])
        noise_tail = ceil(10 * sqrt(a["max_cohort"]) * a["noise"])
        check.that("ring holds the largest sum", 2 ** (a["bits"] - 1) > a["max_cohort"] * round(largest) + noise_tail)
        self.d, self.b, self.lane = a["dimension"], a["bits"], 2 if a["bits"] <= 16 else 4
        self.ctx = context_hash(a)
        self.hex("ctx", self.ctx, golden["context"])

    def advertise(self):
        golden, check = self.golden, self.checks
        authority = Ed25519PrivateKey.from_private_bytes(sha256(b"authority").digest())
        self.hex("authority", public_key(authority), golden["authority"])
        self.devices = sorted((Device(d["device"]) for d in golden["devices"]), key=lambda device: device.id_pk)
        self.n = len(self.devices)
        for u, (device, record) in enumerate(zip(self.devices, golden["devices"])):
            check.equal(f"index {u}", (device.name, u), (record["device"], record["index"]))
            self.hex(f"identity seed of {u}", device.identity_seed, record["identitySeed"])
            self.hex(f"idPk of {u}", device.id_pk, record["idPk"])
            self.hex(f"c_{u}", device.channel_secret, record["channelSecret"])
            self.hex(f"cPk of {u}", device.channel_pk, record["channelKey"])
            self.hex(f"s_{u}", device.mask_secret, record["maskSecret"])
            self.hex(f"sPk of {u}", device.mask_pk, record["maskKey"])
            self.hex(f"b_{u}", device.seed, record["seed"])
            population = text(self.agreement["population"])
            terms = text("murmuration-enrol/1") + population + device.id_pk + f64(EXPIRY_SECONDS)
            certificate = f64(EXPIRY_SECONDS) + authority.sign(terms)
            r0 = text("R0") + self.ctx + device.channel_pk + device.mask_pk
            keys = device.channel_pk + device.mask_pk
            device.entry = device.id_pk + var(certificate) + keys + device.identity.sign(r0)
            self.send(device, "up", ADVERTISE, self.ctx, COORDINATOR, device.entry)
            # And as a receiver, with the keys of the record.
            entry = Reader(self.recorded(device, "up", ADVERTISE))
            id_pk, (expiry, stamp) = entry.raw(32), struct.unpack(">d64s", entry.raw(entry.number(">I")))
            keys, signature = entry.raw(64), entry.raw(64)
            entry.end()
            pinned = bytes.fromhex(golden["authority"])
            check.that(f"certificate of {u}", verifies(pinned, stamp, terms) and NOW_SECONDS < expiry)
            check.that(f"R0 of {u}", verifies(id_pk, signature, text("R0") + self.ctx + keys))

    def derive(self):
        golden, check, a, n = self.golden, self.checks, self.agreement, self.n
        self.kind, self.A, self.k, self.t, D = graph_parameters(n, a["corrupted"], a["dropped"], a["rule"])
        check.that("2t > k + A and k - D >= t", 2 * self.t > self.k + self.A and self.k - D >= self.t)
        graph_seed, graph = bytes(32), golden["graph"]
        derived = {"kind": self.kind, "degree": self.k, "threshold": self.t, "seed": graph_seed.hex()}
        check.equal("graph", derived, graph)
        roster_hash = sha256(text("roster") + encode_list([var(d.entry) for d in self.devices])).digest()
        self.hex("rosterHash", roster_hash, golden["rosterHash"])
        terms = self.ctx + roster_hash + graph_seed + text(self.kind) + u16(self.k) + u16(self.t)
        self.sid = sha256(text("sid") + terms).digest()
        self.hex("sid", self.sid, golden["sid"])
        roster = graph_seed + encode_list([var(d.entry) for d in self.devices])
        for u, (device, record) in enumerate(zip(self.devices, golden["devices"])):
            self.send(device, "down", ROSTER, self.ctx, COORDINATOR, roster)
            device.neighbours = neighbours_of(u, n, self.kind, self.k)
            check.equal(f"neighbours of {u}", device.neighbours, [peer["index"] for peer in record["peers"]])
            digest = sha256(text("ring") + graph_seed + device.id_pk).digest()
            self.hex(f"ring digest of {u}", digest, record["ringDigest"])
            tail = text("update") + u8(self.lane)
            device.self_key = hkdf(device.seed, self.sid, text("self") + u16(u) + tail)
            self.hex(f"self_{u}", device.self_key, record["selfMaskKey"])
            check.equal(f"PRG(self_{u})", mask(device.self_key, self.d, self.b, self.lane), record["selfMask"])
            device.pair_keys = {}
            for rank, (v, peer) in enumerate(zip(device.neighbours, record["peers"])):
                pair = f"{u}→{v}"
                other = self.devices[v]
                check.equal(f"slot of {pair}", 1 + rank, peer["slot"])
                self.hex(f"associated data {pair}", self.box_context(u, v), peer["boxContext"])
                channel = self.channel_key(device.channel_secret, other.channel_pk, u, v)
                self.hex(f"chan {pair}", channel, peer["channelKeyTo"])
                info = text("mask") + u16(min(u, v)) + u16(max(u, v)) + tail
                device.pair_keys[v] = hkdf(x25519(device.mask_secret, other.mask_pk), self.sid, info)
                self.hex(f"mask {pair}", device.pair_keys[v], peer["pairMaskKey"])

    def slot(self, owner, holder):
        return 1 + self.devices[owner].neighbours.index(holder)

    def box_context(self, u, v):
        return text("box") + self.sid + u16(u) + u16(v) + u8(self.slot(u, v))

    def channel_key(self, secret, public, u, v):
        return hkdf(x25519(secret, public), self.sid, text("chan") + u16(u) + u16(v))

    def share(self):
        check, boxes = self.checks, {}
        self.U2 = self.sent(SHARES)
        for u, device in enumerate(self.devices):
            device.draw_polynomials(self.t)
            for v in device.neighbours:
                plaintext = b"".join(share(polynomial, self.slot(u, v)) for polynomial in device.polynomials)
                key = self.channel_key(device.channel_secret, self.devices[v].channel_pk, u, v)
                boxes[u, v] = ChaCha20Poly1305(key).encrypt(bytes(12), plaintext, self.box_context(u, v))
            own = b"".join(boxes[u, v] for v in device.neighbours)
            device.commitment = sha256(text("commit") + self.sid + u16(u) + device.seed).digest()
            self.hex(f"commitment of {u}", device.commitment, self.golden["devices"][u]["commitment"])
            if u in self.U2:
                r1 = text("R1") + self.sid + u16(u) + sha256(own).digest() + device.commitment
                self.send(device, "up", SHARES, self.sid, u, own + device.commitment + device.identity.sign(r1))
                body = Reader(self.recorded(device, "up", SHARES))
                boxes_sent, commitment, signature = body.raw(80 * self.k), body.raw(32), body.raw(64)
                body.end()
                r1 = text("R1") + self.sid + u16(u) + sha256(boxes_sent).digest() + commitment
                check.that(f"R1 of {u}", verifies(device.id_pk, signature, r1))
        # And as a receiver: every recorded box opens, and any t of the shares of one owner give its secrets.
        held = {u: ({}, {}) for u in self.U2}
        for v in self.U2:
            receiver = self.devices[v]
            dealers = [u for u in receiver.neighbours if u in self.U2]
            body = bitmap(self.U2, self.n) + b"".join(boxes[u, v] for u in dealers)
            self.send(receiver, "down", SHARES_FWD, self.sid, COORDINATOR, body)
            recorded = self.recorded(receiver, "down", SHARES_FWD)[len(bitmap([], self.n)) :]
            for i, u in enumerate(dealers):
                key = self.channel_key(receiver.channel_secret, self.devices[u].channel_pk, u, v)
                box = recorded[80 * i : 80 * i + 80]
                opened = ChaCha20Poly1305(key).decrypt(bytes(12), box, self.box_context(u, v))
                check.equal(f"length of box {u}→{v}", len(opened), 64)
                held[u][0][self.slot(u, v)], held[u][1][self.slot(u, v)] = opened[:32], opened[32:]
        for u in self.U2:
            for shares, secret, what in zip(held[u], (self.devices[u].seed, self.devices[u].mask_secret), "bs"):
                slots = sorted(shares)
                for first in range(len(slots) - self.t + 1):
                    some = {x: shares[x] for x in slots[first : first + self.t]}
                    check.equal(f"{what}_{u} from slots {list(some)}", interpolate(some), secret)

    def mask(self):
        self.U3 = self.sent(MASKED)
        self.checks.that("U3 is within U2", set(self.U3) <= set(self.U2))
        for u in self.U3:
            device = self.devices[u]
            self_mask = mask(device.self_key, self.d, self.b, self.lane)
            y = [x + m for x, m in zip(self.golden["devices"][u]["input"], self_mask)]
            for v in device.neighbours:
                if v in self.U2:
                    sign = 1 if u > v else -1
                    y = [a + sign * m for a, m in zip(y, mask(device.pair_keys[v], self.d, self.b, self.lane))]
            packed = pack(y, self.b)
            for sequence, at in enumerate(range(0, len(packed), CHUNK_BYTES)):
                self.send(device, "up", MASKED, self.sid, u, packed[at : at + CHUNK_BYTES], sequence)
            self.send(device, "down", SURVIVORS, self.sid, COORDINATOR, bitmap(self.U3, self.n))

    def confirm(self):
        check = self.checks
        view = text("R3") + self.sid + var(bitmap(self.U2, self.n)) + var(bitmap(self.U3, self.n))
        quorum = (self.n - 1 + self.A) // 2 + 1
        for u in self.U3:
            device = self.devices[u]
            self.send(device, "up", ACK, self.sid, u, device.identity.sign(view))
            check.that(f"R3 of {u}", verifies(device.id_pk, self.recorded(device, "up", ACK), view))
            reader = Reader(self.recorded(device, "down", ACKS))
            acks = reader.list(lambda: (reader.number(">H"), reader.raw(64)))
            reader.end()
            signers = [v for v, _ in acks]
            once = len(set(signers)) == len(signers)
            check.that(f"ACKS to {u}: others in U3, once each", once and set(signers) <= set(self.U3) - {u})
            for v, signature in acks:
                check.that(f"ACKS to {u}: signature of {v}", verifies(self.devices[v].id_pk, signature, view))
            check.that(f"ACKS to {u}: a quorum of {quorum}", len(acks) >= quorum)
            body = encode_list([u16(v) + self.devices[v].identity.sign(view) for v in signers])
            self.send(device, "down", ACKS, self.sid, COORDINATOR, body)

    def unmask(self):
        check, golden, n = self.checks, self.golden, self.n
        answered = self.sent(UNMASK)
        given = {v: {} for v in self.U2}
        for u in answered:
            device, body = self.devices[u], b""
            recorded = Reader(self.recorded(device, "up", UNMASK))
            for v in (v for v in device.neighbours if v in self.U2):
                kind = 2 if v in self.U3 else 1
                body += u8(kind) + share(self.devices[v].polynomials[0 if kind == 2 else 1], self.slot(v, u))
                check.equal(f"kind of share {v} from {u}", kind, recorded.number(">B"))
                given[v][self.slot(v, u)] = recorded.raw(32)
            recorded.end()
            self.send(device, "up", UNMASK, self.sid, u, body)
        # The coordinator's part, from the recorded frames and public keys only.
        total = [0] * self.d
        add = lambda sign, key: [a + sign * m for a, m in zip(total, mask(key, self.d, self.b, self.lane))]
        tail = text("update") + u8(self.lane)
        for v in self.U3:
            y = unpack(self.recorded(self.devices[v], "up", MASKED), self.d, self.b)
            total = [a + value for a, value in zip(total, y)]
        for v, shares in given.items():
            secret = interpolate(dict(sorted(shares.items())[: self.t]))
            check.equal(f"all shares of {v} agree", interpolate(shares), secret)
            if v in self.U3:
                commitment = sha256(text("commit") + self.sid + u16(v) + secret).digest()
                check.equal(f"commitment opened by b_{v}", commitment, self.devices[v].commitment)
                total = add(-1, hkdf(secret, self.sid, text("self") + u16(v) + tail))
            else:
                check.equal(f"sPk of s_{v}", public_key(x25519_private(secret)), self.devices[v].mask_pk)
                for u in (u for u in self.devices[v].neighbours if u in self.U3):
                    info = text("mask") + u16(min(u, v)) + u16(max(u, v)) + tail
                    total = add(-1 if u > v else 1, hkdf(x25519(secret, self.devices[u].mask_pk), self.sid, info))
        result = golden["result"]
        check.equal("survivors", self.U3, result["survivors"])
        check.equal("sum", [signed(value, self.b) for value in total], result["sum"])
        plain = [sum(column) for column in zip(*(golden["devices"][u]["input"] for u in self.U3))]
        check.equal("sum of the inputs", plain, result["sum"])
        terms = self.sid + var(bitmap(self.U3, n)) + var(pack(total, self.b))
        result_hash = sha256(text("result") + terms).digest()
        self.hex("resultHash", result_hash, result["resultHash"])
        for u in answered:
            self.send(self.devices[u], "down", DONE, self.sid, COORDINATOR, result_hash + u16(len(self.U3)))

    def compare(self):
        check, seen, upload = self.checks, {}, {}
        index = {device.name: u for u, device in enumerate(self.devices)}
        last = {}
        for i, (name, direction, frame) in enumerate(self.frames):
            fields = decode_frame(frame)
            kind, what = fields["type"], f"frame {i}, type {frame[5]} {direction} {name}"
            fixed = tuple(fields[f] for f in ("magic", "version", "suite", "flags", "roundId"))
            check.equal(f"{what}: header", (b"MRMN", 2, 1, 0, self.agreement["roundId"]), fixed)
            bound = self.ctx if kind in (ADVERTISE, ROSTER) else self.sid
            check.equal(f"{what}: binding", bound, fields["binding"])
            sender = index[name] if direction == "up" and kind != ADVERTISE else COORDINATOR
            check.equal(f"{what}: sender", sender, fields["sender"])
            check.equal(f"{what}: whole", self.expected.get((name, direction, kind, fields["sequence"])), frame)
            check.that(f"{what}: in turn", last.get(name, 0) <= kind)
            last[name] = kind
            key = (name, direction, kind, fields["sequence"])
            seen[key] = seen.get(key, 0) + 1
            upload[name] = upload.get(name, 0) + (len(frame) if direction == "up" else 0)
        check.equal("every frame is there once", {key: 1 for key in self.expected}, seen)
        vector = (self.d * self.b + 7) // 8
        for name, length in upload.items():
            most = vector + 128 * (self.k + 1) + 768 + 96 * -(-vector // CHUNK_BYTES)
            check.that(f"{name} sends {length} bytes, at most {most}", length <= most)


if __name__ == "__main__":
    outcome = Session(json.load(sys.stdin)).run()
    print(json.dumps({"checks": outcome.count, "failures": outcome.failures}))
    sys.exit(1 if outcome.failures else 0)
