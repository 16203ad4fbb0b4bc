import { ctr } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { bytesToNumberLE } from "@noble/curves/utils.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import nacl from "tweetnacl";
import { concatBytes, equalBytes } from "./bytes.ts";
import {
  isEd25519InputAcceptable,
  isX25519PublicKeyAcceptable,
  requireInteger,
  requireLength,
  requireNonZero,
} from "./input-checks.ts";
import { CryptoError, type CryptoProvider, type Ed25519Key, type Keystream, type X25519Key } from "./provider.ts";

/**
 * Suite 1 in JavaScript alone, for browsers on origins where WebCrypto's `subtle` is missing.
 *
 * Whatever touches a long-lived or ephemeral secret scalar runs in tweetnacl, whose arithmetic has no secret-dependent
 * branches or look-ups. AES comes from noble and uses tables, which leave traces in the processor's cache: a program on
 * the same machine could learn the mask seeds of a round from them.
 */
export const cryptoProvider: CryptoProvider = {
  name: "portable",
  random: { kind: "secure", bytes: randomBytes },

  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },

  hkdf(inputKey, salt, info, length) {
    requireInteger("HKDF output length", length, 1, 255 * 32);
    return hkdf(sha256, inputKey, salt, info, length);
  },

  generateX25519: () => x25519Key(randomBytes(32)),
  importX25519(secret) {
    requireLength("X25519 secret key", secret, 32);
    return x25519Key(new Uint8Array(secret));
  },
  isValidX25519PublicKey: isX25519PublicKeyAcceptable,

  generateEd25519: () => ed25519Key(randomBytes(32)),
  importEd25519(seed) {
    requireLength("Ed25519 seed", seed, 32);
    return ed25519Key(new Uint8Array(seed));
  },
  verifyEd25519(publicKey, message, signature) {
    return isEd25519InputAcceptable(publicKey, signature) && satisfiesEd25519(publicKey, message, signature);
  },

  seal(key, nonce, plaintext, associatedData) {
    requireLength("ChaCha20-Poly1305 key", key, 32);
    requireLength("ChaCha20-Poly1305 nonce", nonce, 12);
    return chacha20poly1305(key, nonce, associatedData).encrypt(plaintext);
  },

  open(key, nonce, box, associatedData) {
    requireLength("ChaCha20-Poly1305 key", key, 32);
    requireLength("ChaCha20-Poly1305 nonce", nonce, 12);
    if (box.length < TAG_LENGTH) return undefined;
    const cipher = chacha20poly1305(key, nonce, associatedData);
    try {
      return cipher.decrypt(box);
    } catch {
      return undefined;
    }
  },

  keystream(key, blockOffset = 0) {
    requireLength("AES-256 key", key, 32);
    requireInteger("AES-CTR block offset", blockOffset, 0);
    return aesCtrKeystream(new Uint8Array(key), blockOffset);
  },
};

const TAG_LENGTH = 16;

function aesCtrKeystream(key: Uint8Array, blockOffset: number): Keystream {
  const counter = new Uint8Array(16);
  const counterLow = new DataView(counter.buffer);
  let block = BigInt(blockOffset);
  let bytesTakenOfBlock = 0;
  let zeros = new Uint8Array(0);
  let stream = new Uint8Array(0);
  return {
    next(byteLength) {
      requireInteger("keystream length", byteLength, 0);
      const end = bytesTakenOfBlock + byteLength;
      const padded = Math.ceil(end / 16) * 16;
      if (stream.length < padded) {
        zeros = new Uint8Array(padded);
        stream = new Uint8Array(padded);
      }
      counterLow.setBigUint64(8, block);
      ctr(key, counter).encrypt(zeros.subarray(0, padded), stream.subarray(0, padded));
      // To the front, so that the answer stays aligned for views of wider lanes.
      if (bytesTakenOfBlock !== 0) stream.copyWithin(0, bytesTakenOfBlock, end);
      block += BigInt(Math.floor(end / 16));
      bytesTakenOfBlock = end % 16;
      return stream.subarray(0, byteLength);
    },
  };
}

/** Takes `secret` over: {@link X25519Key.wipe} overwrites it. */
function x25519Key(secret: Uint8Array): X25519Key {
  let wiped = false;
  const publicKey = nacl.scalarMult.base(secret);
  return {
    publicKey,
    exportSecret() {
      if (wiped) throw new CryptoError("X25519 key: already wiped");
      return new Uint8Array(secret);
    },
    agree(peerPublicKey) {
      if (wiped) throw new CryptoError("X25519 key: already wiped");
      if (!isX25519PublicKeyAcceptable(peerPublicKey)) throw new CryptoError("X25519 public key: refused");
      const shared = nacl.scalarMult(secret, peerPublicKey);
      requireNonZero("X25519 shared secret", shared);
      return shared;
    },
    wipe() {
      secret.fill(0);
      wiped = true;
    },
  };
}

function ed25519Key(seed: Uint8Array): Ed25519Key {
  const pair = nacl.sign.keyPair.fromSeed(seed);
  return {
    // tweetnacl signs with the public half of `secretKey`; a caller's change to this copy cannot reach it.
    publicKey: pair.publicKey,
    exportSeed: () => new Uint8Array(seed),
    sign: (message) => nacl.sign.detached(message, pair.secretKey),
  };
}

/**
 * [S]B − [k]A encodes to the bytes of R, k = SHA-512(R ‖ A ‖ M) mod L: the equation without cofactor of RFC 8032 section
 * 5.1.7, as OpenSSL computes it. noble's own `verify` multiplies by the cofactor, so it accepts signatures (those with a
 * small-order component) that OpenSSL rejects, and a device and a coordinator could disagree.
 */
function satisfiesEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const r = signature.subarray(0, 32);
  const s = bytesToNumberLE(signature.subarray(32));
  const k = Point.Fn.create(bytesToNumberLE(sha512(concatBytes(r, publicKey, message))));
  let a: typeof Point.BASE;
  try {
    a = Point.fromBytes(publicKey);
  } catch {
    return false;
  }
  return equalBytes(Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes(), r);
}

/** The most that one call of `getRandomValues` may ask for (Web Cryptography API, section 10.1.1). */
const RANDOM_QUOTA = 65_536;

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  requireInteger("random length", length, 0);
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length; offset += RANDOM_QUOTA) {
    globalThis.crypto.getRandomValues(bytes.subarray(offset, offset + RANDOM_QUOTA));
  }
  return bytes;
}
