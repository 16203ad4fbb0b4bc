import { roundedNormBound, roundWithinNorm } from "../../privacy/mechanisms/conditional-rounding.ts";
import { hadamard, paddedLength } from "../../privacy/mechanisms/hadamard.ts";
import { seededRandom } from "../../random/seeded-random.ts";
import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Into the ring as the distributed mechanisms want it (Kairouz, Liu and Steinke 2021, arXiv 2102.06387, Algorithm 1):
 *
 * ```
 *  device:  Δ, ‖Δ‖ ≤ c ─► s · Δ ─► H D Δ / √d ─► rounded until ‖·‖ ≤ B ─► Z^d
 *  server:  mean ◄ ÷ s ◄─ D H · / √d ◄── each coordinate from [−2^{b−1}, 2^{b−1}) ◄─ sum mod 2^b
 * ```
 *
 * D is a diagonal of signs that everybody knows: rotating spreads what is in a few coordinates over all, so that none of
 * the sum is much larger than another, and hides nothing. There are no metric slots.
 *
 * @param coordinates of the update; the ring vector has the next power of two
 * @param norm c
 * @param scale s
 * @param bits b
 * @param seed names D
 */
export function rotate(coordinates: number, norm: number, scale: number, bits: number, seed: number): UpdateTransform {
  if (!(Number.isInteger(coordinates) && coordinates > 0 && coordinates <= 2 ** 24)) {
    throw new RangeError(`${coordinates} coordinates cannot be rotated`);
  }
  if (!(norm > 0 && scale > 0 && Number.isFinite(norm * scale))) throw new RangeError("norm and scale are positive");
  if (!(Number.isInteger(bits) && bits >= 8 && bits <= 32)) throw new RangeError(`a ring of ${bits} bits`);
  const dimension = paddedLength(coordinates);
  const bound = roundedNormBound(norm * scale, dimension);
  const root = Math.sqrt(dimension);
  let scratch: { readonly values: Float32Array; readonly words: Uint32Array } | undefined;

  const diagonal = (): Int8Array => signsOf(seed, dimension);

  return {
    specification: `rotate:${coordinates}:${norm}:${scale}:${bits}:${seed}`,
    coordinates(given) {
      if (given !== coordinates) throw new RangeError(`${given} coordinates, and ${coordinates} are rotated`);
      return dimension;
    },
    encode(update, { rounding, ring: given }) {
      const { values } = expectFloatUpdate(update, "rotate");
      if (values.length !== coordinates) throw new RangeError(`${values.length} coordinates, not ${coordinates}`);
      const ring = given ?? new Int32Array(dimension);
      if (ring.length !== dimension) throw new RangeError(`a ring vector of ${dimension} does not take ${ring.length}`);
      scratch ??= { values: new Float32Array(dimension), words: new Uint32Array(Math.min(WORDS, dimension)) };
      place(scratch.values, values, diagonal(), scale / root);
      hadamard(scratch.values);
      roundWithinNorm(scratch.values, bound, rounding, scratch.words, ring);
      scratch.values.fill(0);
      return { kind: "ring", values: ring };
    },
    decode(sum) {
      if (sum.kind !== "ring") throw new Error("a sum is rotated back once");
      const rotated = new Float32Array(dimension);
      centre(rotated, sum.values, 32 - bits);
      hadamard(rotated);
      const values = new Float32Array(coordinates);
      place(values, rotated.subarray(0, coordinates), diagonal(), 1 / (scale * root));
      return { kind: "float", values, metrics: {}, survivors: sum.survivors };
    },
  };
}

/** 64 KiB of rounding bits at a time. */
const WORDS = 16_384;

/** D of the last rotation: a run has one. */
let known: { readonly seed: number; readonly signs: Int8Array } | undefined;

function signsOf(seed: number, length: number): Int8Array {
  if (known?.seed === seed && known.signs.length === length) return known.signs;
  known = { seed, signs: drawnSigns(seed, length) };
  return known.signs;
}

function drawnSigns(seed: number, length: number): Int8Array {
  const words = new Uint32Array(Math.ceil(length / 32));
  seededRandom(seed, "rotation").fill(words);
  return Int8Array.from({ length }, (_, i) => ((words[i >>> 5] >>> (i & 31)) & 1 ? -1 : 1));
}

function place(target: Float32Array, values: Float32Array, signs: Int8Array, factor: number): void {
  for (let i = 0; i < values.length; i++) target[i] = values[i] * (signs[i] * factor);
}

/** The representative of each coordinate mod 2^b that lies around 0. */
function centre(target: Float32Array, sum: Int32Array, surplus: number): void {
  for (let i = 0; i < target.length; i++) target[i] = (sum[i] << surplus) >> surplus;
}
