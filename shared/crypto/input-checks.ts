import { fromHex } from "./bytes.ts";
import { CryptoError } from "./provider.ts";

/**
 * What suite 1 refuses before any arithmetic. Both providers ask here, because the libraries under them disagree:
 * OpenSSL and tweetnacl verify under small-order and non-canonical Ed25519 keys, tweetnacl takes S ≥ L and answers a
 * low-order X25519 key with zeros, and OpenSSL and RFC 7748 mask the top bit of an X25519 key.
 *
 * Everything tested here is public, so nothing needs constant time.
 *
 * Sources: RFC 8032 sections 5.1.3 and 5.1.7; RFC 7748 sections 5 and 6.1; Chalkias, Garillot, Nikolaenko, "Taming the
 * many EdDSAs" (SSR 2020), tables 1 and 2; Bernstein, "Curve25519" (cr.yp.to/ecdh.html#validate).
 */

/** The order of the base point, 2^252 + 27742317777372353535851937790883648493, little-endian. */
const GROUP_ORDER = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * y of the eight points whose order divides 8 (a point and its negative share y): orders 4, 1, 8, 8, 2. Without the sign
 * bit, so that the two encodings of x = 0 with sign 1, which RFC 8032 forbids, are covered as well.
 */
const SMALL_ORDER_EDWARDS_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

/** Canonical u of the points of small order on Curve25519 (0, 1, and two of order 8) and on its twist (0, p − 1). */
const LOW_ORDER_MONTGOMERY_U = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

/**
 * False for an X25519 public key that suite 1 refuses: not 32 bytes, top bit set, u ≥ p, or of low order. For every other
 * key and every clamped scalar the shared secret is not zero.
 */
export function isX25519PublicKeyAcceptable(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32 || publicKey[31] >= 0x80 || !isReducedModP(publicKey)) return false;
  return !LOW_ORDER_MONTGOMERY_U.some((u) => equalsIgnoringTopBit(publicKey, u));
}

/**
 * False for an Ed25519 key and signature (R ‖ S) that suite 1 refuses unseen: wrong lengths, S ≥ L, an encoding of A or R
 * with y ≥ p, or A or R of small order (with that, of x = 0 and the sign bit set). Whether A and R lie on the curve is
 * left to the verification equation. No signer who follows RFC 8032 makes such an R; OpenSSL refuses it from 3.5 on and
 * took it before, so it is refused here for every version to agree.
 */
export function isEd25519InputAcceptable(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  if (!isReducedModP(publicKey) || !isReducedModP(r)) return false;
  if (SMALL_ORDER_EDWARDS_Y.some((y) => equalsIgnoringTopBit(publicKey, y) || equalsIgnoringTopBit(r, y))) return false;
  return isBelow(signature.subarray(32), GROUP_ORDER);
}

/** @throws {CryptoError} when `bytes` is not `length` bytes long; the message names the lengths, never the content. */
export function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new CryptoError(`${what}: ${length} bytes expected, ${bytes.length} given`);
}

/** @throws {CryptoError} unless `value` is an integer in `least` … `most`. */
export function requireInteger(what: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new CryptoError(`${what}: an integer from ${least} to ${most} expected`);
  }
}

/** RFC 7748 section 6.1: the check for a shared secret of all zeros, without a branch on any single byte. */
export function requireNonZero(what: string, bytes: Uint8Array): void {
  let union = 0;
  for (const byte of bytes) union |= byte;
  if (union === 0) throw new CryptoError(`${what}: all zero`);
}

/** The low 255 bits are below p = 2^255 − 19, that is, not one of the 19 values ed ff … ff 7f and up. */
function isReducedModP(bytes: Uint8Array): boolean {
  if ((bytes[31] & 0x7f) !== 0x7f || bytes[0] < 0xed) return true;
  for (let i = 1; i < 31; i++) if (bytes[i] !== 0xff) return true;
  return false;
}

function equalsIgnoringTopBit(bytes: Uint8Array, value: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (bytes[i] !== value[i]) return false;
  return (bytes[31] & 0x7f) === value[31];
}

/** Little-endian comparison of two integers of the same length. */
function isBelow(bytes: Uint8Array, limit: Uint8Array): boolean {
  for (let i = limit.length - 1; i >= 0; i--) if (bytes[i] !== limit[i]) return bytes[i] < limit[i];
  return false;
}
