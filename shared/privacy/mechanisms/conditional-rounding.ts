import type { RoundingBits } from "../../secagg/quantise.ts";

/** β: how likely a rounding may be to lie beyond the bound, and be drawn again (Kairouz et al. 2021, section 4). */
export const DEFAULT_BIAS = Math.exp(-0.5);

/**
 * B: what the L2 norm of a vector can be once it has been rounded, all in units of the grid (Kairouz, Liu and Steinke 2021,
 * arXiv 2102.06387, Proposition 22):
 *
 * ```
 *  B = min { c + √d , √( c² + d/4 + √(2 ln(1/β)) · (c + √d / 2) ) }
 * ```
 *
 * @param norm c: of the vector before rounding, at most
 * @param dimension d
 * @param bias β in [0, 1): 0 keeps rounding without bias, and takes the first term
 */
export function roundedNormBound(norm: number, dimension: number, bias: number = DEFAULT_BIAS): number {
  if (!(bias >= 0 && bias < 1)) throw new RangeError(`a bias of ${bias} is not in [0, 1)`);
  const always = norm + Math.sqrt(dimension);
  if (bias === 0) return always;
  const usually = Math.sqrt(
    norm * norm + dimension / 4 + Math.sqrt(2 * Math.log(1 / bias)) * (norm + Math.sqrt(dimension) / 2),
  );
  return Math.min(always, usually);
}

/**
 * Rounds each value to one of its two neighbours, by chance so that its expectation is the value; and all of them again
 * until their norm is within the bound. The norm is summed over whole numbers, so it is exact: the bound holds whatever
 * was lost in floating point before.
 *
 * @param target as many whole numbers
 * @param bound B, of {@link roundedNormBound}
 * @throws {RangeError} when the values' own norm is far beyond what the bound was made for
 */
export function roundWithinNorm(
  values: Float32Array,
  bound: number,
  rounding: RoundingBits,
  words: Uint32Array,
  target: Int32Array,
): void {
  const largest = bound * bound;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    let square = 0;
    for (let start = 0; start < values.length; start += words.length) {
      const end = Math.min(start + words.length, values.length);
      rounding.fill(end - start === words.length ? words : words.subarray(0, end - start));
      square += roundBlock(values, start, end, words, target);
    }
    if (square <= largest) return;
  }
  throw new RangeError("the vector is longer than its clip norm: it cannot be rounded within the bound");
}

/** An attempt fails with a chance of at most 1 − β: this many fail with one below 10^-80. */
const MOST_ATTEMPTS = 200;

/** Returns the sum of squares. */
function roundBlock(values: Float32Array, start: number, end: number, words: Uint32Array, target: Int32Array): number {
  let square = 0;
  for (let i = start; i < end; i++) {
    const below = Math.floor(values[i]);
    // No branch on a random bit: it would be mispredicted every other time.
    const rounded = (below | 0) + ((values[i] - below + (words[i - start] + 0.5) * 2 ** -32) | 0);
    target[i] = rounded;
    square += rounded * rounded;
  }
  return square;
}
