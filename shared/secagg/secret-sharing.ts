import type { SecureRandom } from "../random/secure-random.ts";
import { barycentricWeights, lagrangeWeights, multiply } from "./galois-field.ts";

/**
 * Shamir's secret sharing ("How to share a secret", CACM 1979) over GF(2^8), polynomial 0x11b: each of a secret's 32
 * bytes is the constant term of its own polynomial of degree below t, and a share holds the 32 values at one slot.
 * Any t shares give the secret; t - 1 or fewer are uniformly distributed, whatever the secret.
 *
 * Hazards. The x coordinate is the slot, 1 … 255; a share at 0 would be the secret itself. Shares carry no authenticity:
 * a wrong share gives a wrong secret, so what is rebuilt is always checked against a public key or a commitment
 * (`error-correction.ts` finds out whose share was wrong).
 *
 * Both splitting and combining are one kernel, a linear combination of secret vectors with public weights, four bytes to
 * a word. It has no table and branches on the public weights alone, so neither its branches nor its memory accesses
 * depend on secret bytes; what a JavaScript engine does below that is not promised.
 */
export interface Share {
  /** 1 … 255. */
  readonly slot: number;
  /** {@link SECRET_LENGTH} bytes. */
  readonly value: Uint8Array;
}

/** Bytes in a secret, and in a share of it. */
export const SECRET_LENGTH = 32;

export const LARGEST_SLOT = 255;

/** Shares that do not fit together: a wrong length, a slot out of range or twice, too few of them. Never carries bytes. */
export class ShareError extends Error {
  override readonly name = "ShareError";
}

/**
 * Shares a secret among the slots 1 … `holders`, any `threshold` of which rebuild it. The coefficients are uniform, the
 * top one too: forbidding zero there would tell something about the secret.
 *
 * @throws {RangeError} unless the secret has 32 bytes and 2 ≤ threshold ≤ holders ≤ 255.
 */
export function splitSecret(secret: Uint8Array, threshold: number, holders: number, random: SecureRandom): Share[] {
  if (secret.length !== SECRET_LENGTH) {
    throw new RangeError(`a secret of ${SECRET_LENGTH} bytes is shared, not of ${secret.length}`);
  }
  if (!Number.isInteger(holders) || holders > LARGEST_SLOT) {
    throw new RangeError(`a secret has at most ${LARGEST_SLOT} holders, not ${holders}`);
  }
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > holders) {
    throw new RangeError(`the threshold lies between 2 and the ${holders} holders, it cannot be ${threshold}`);
  }
  const coefficients = new Int32Array(threshold * WORDS);
  const constant = new Uint8Array(coefficients.buffer, 0, SECRET_LENGTH);
  const others = random.bytes((threshold - 1) * SECRET_LENGTH);
  constant.set(secret);
  new Uint8Array(coefficients.buffer, SECRET_LENGTH).set(others);

  const powers = new Uint8Array(threshold);
  const shares: Share[] = [];
  for (let slot = 1; slot <= holders; slot++) {
    for (let i = 0, power = 1; i < threshold; i++, power = multiply(power, slot)) powers[i] = power;
    shares.push({ slot, value: linearCombination(powers, coefficients) });
  }
  // The polynomial is the secret as much as its constant term is.
  others.fill(0);
  coefficients.fill(0);
  return shares;
}

/**
 * The secret that exactly these shares give; with at least t of the right ones, the secret that was split. More than t
 * cost more and correct nothing: see {@link decodeShares} for that.
 *
 * @throws {ShareError} for no shares, shares of another length, or slots that repeat or lie outside 1 … 255.
 */
export function combineShares(shares: readonly Share[], weights: WeightCache = createWeightCache()): Uint8Array {
  requireShares(shares);
  return interpolateShares(shares, weights)(0);
}

/** Barycentric weights by holder set: the coordinator meets the same few sets again and again. */
export type WeightCache = (slots: readonly number[]) => Uint8Array;

/** @param capacity holder sets that are kept; all are forgotten when one more comes. */
export function createWeightCache(capacity = 1024): WeightCache {
  const known = new Map<string, Uint8Array>();
  return (slots) => {
    const key = String.fromCharCode(...slots);
    const cached = known.get(key);
    if (cached !== undefined) return cached;
    if (known.size >= capacity) known.clear();
    const weights = barycentricWeights(slots);
    known.set(key, weights);
    return weights;
  };
}

/**
 * The polynomials of least degree through the shares, which {@link requireShares} has passed, as a function of x; x is
 * none of their slots.
 */
export function interpolateShares(shares: readonly Share[], weights: WeightCache): (x: number) => Uint8Array {
  const vectors = new Int32Array(shares.length * WORDS);
  const bytes = new Uint8Array(vectors.buffer);
  for (const [i, share] of shares.entries()) bytes.set(share.value, i * SECRET_LENGTH);
  const slots = shares.map((share) => share.slot);
  const barycentric = weights(slots);
  return (x) => linearCombination(lagrangeWeights(slots, barycentric, x), vectors);
}

/** @throws {ShareError} as {@link combineShares}. */
export function requireShares(shares: readonly Share[]): void {
  if (shares.length === 0) throw new ShareError("there are no shares to combine");
  const seen = new Set<number>();
  for (const { slot, value } of shares) {
    if (!Number.isInteger(slot) || slot < 1 || slot > LARGEST_SLOT) {
      throw new ShareError(`a share's slot lies between 1 and ${LARGEST_SLOT}, it cannot be ${slot}`);
    }
    if (seen.has(slot)) throw new ShareError(`there are two shares for slot ${slot}`);
    seen.add(slot);
    if (value.length !== SECRET_LENGTH) {
      throw new ShareError(`the share for slot ${slot} has ${value.length} bytes instead of ${SECRET_LENGTH}`);
    }
  }
}

/** 32-bit words in a secret. */
const WORDS = SECRET_LENGTH / 4;

/**
 * Σ weights[i] · vectors[i], bytewise in GF(2^8): for each bit of the weights from the top, double the sum and add the
 * vectors whose weight has that bit. Doublings are shared by all vectors, so a term costs XORs only.
 */
function linearCombination(weights: Uint8Array, vectors: Int32Array): Uint8Array {
  const sum = new Int32Array(WORDS);
  for (let bit = 0x80; bit !== 0; bit >>>= 1) {
    doubleBytes(sum);
    addSelected(weights, bit, vectors, sum);
  }
  return new Uint8Array(sum.buffer);
}

/** Multiplies every byte by x: shifts it, and adds 0x1b to those that had the top bit. */
function doubleBytes(words: Int32Array): void {
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    words[i] = ((word & 0x7f7f7f7f) << 1) ^ Math.imul((word >>> 7) & 0x01010101, 0x1b);
  }
}

function addSelected(weights: Uint8Array, bit: number, vectors: Int32Array, sum: Int32Array): void {
  let s0 = sum[0];
  let s1 = sum[1];
  let s2 = sum[2];
  let s3 = sum[3];
  let s4 = sum[4];
  let s5 = sum[5];
  let s6 = sum[6];
  let s7 = sum[7];
  for (let i = 0, at = 0; i < weights.length; i++, at += 8) {
    if ((weights[i] & bit) === 0) continue;
    s0 ^= vectors[at];
    s1 ^= vectors[at + 1];
    s2 ^= vectors[at + 2];
    s3 ^= vectors[at + 3];
    s4 ^= vectors[at + 4];
    s5 ^= vectors[at + 5];
    s6 ^= vectors[at + 6];
    s7 ^= vectors[at + 7];
  }
  sum[0] = s0;
  sum[1] = s1;
  sum[2] = s2;
  sum[3] = s3;
  sum[4] = s4;
  sum[5] = s5;
  sum[6] = s6;
  sum[7] = s7;
}
