import type { CryptoProvider } from "../crypto/provider.ts";
import { MurmurError } from "../protocol/errors.ts";
import type { SeededRandom } from "../random/seeded-random.ts";

/** How real coordinates in [−clip, clip] map to the integers −levels … levels. */
export interface Quantiser {
  /** c: a coordinate beyond it is clamped. In the update's unit. */
  readonly clip: number;
  /** L = 2^(q − 1) − 1 for q quantisation bits. */
  readonly levels: number;
  /** L / c: integer levels for one unit. */
  readonly scale: number;
}

/** @throws {RangeError} unless `bits` is 2 … 24 (a float32 carries no more) and `clip` is positive and finite. */
export function createQuantiser(options: { readonly bits: number; readonly clip: number }): Quantiser {
  const { bits, clip } = options;
  if (!Number.isInteger(bits) || bits < 2 || bits > 24) {
    throw new RangeError(`a coordinate is quantised to 2 to 24 bits, not ${bits}`);
  }
  if (!(clip > 0 && Number.isFinite(clip))) {
    throw new RangeError(`the quantiser's clip must be a positive number, not ${clip}`);
  }
  const levels = 2 ** (bits - 1) - 1;
  return { clip, levels, scale: levels / clip };
}

/**
 * Stochastic rounding of each coordinate to a neighbouring level, so that its expectation is the coordinate itself, then
 * clamping to ±L. Clamping comes last, so that rounding up at +c cannot leave the range that the ring is sized for.
 *
 * x · L/c = m + f with m = ⌊x · L/c⌋; the result is m + ⌊f + (r + ½) / 2^32⌋ for 32 rounding bits r. Pr[m + 1] differs from
 * f by less than 2^-32: over 1,024 devices the bias of a sum is below 2^-22 of a level. A coordinate that is on a level
 * stays there.
 *
 * @param target Int32 coordinates; the first `values.length` are written. It may be longer, for metric slots.
 * @throws {NonFiniteUpdateError} on NaN or infinity; what is in `target` is then unspecified.
 */
export function quantise(
  values: Float32Array,
  quantiser: Quantiser,
  rounding: RoundingBits,
  target: Int32Array = new Int32Array(values.length),
): Int32Array {
  if (target.length < values.length) {
    throw new RangeError(`${values.length} coordinates do not fit into ${target.length}`);
  }
  const words = new Uint32Array(Math.min(WORDS_PER_FILL, values.length));
  for (let start = 0; start < values.length; start += words.length) {
    const end = Math.min(start + words.length, values.length);
    rounding.fill(end - start === words.length ? words : words.subarray(0, end - start));
    if (roundWithinRange(target, values, start, end, words, quantiser.scale, quantiser.levels)) continue;
    const nonFinite = roundAndClamp(target, values, start, end, words, quantiser.scale, quantiser.levels);
    if (nonFinite !== -1) throw new NonFiniteUpdateError(nonFinite);
  }
  return target;
}

/** The real vector that a sum of quantised coordinates stands for: sum / scale. Not divided by weights or survivors. */
export function dequantise(
  sum: Int32Array,
  quantiser: Quantiser,
  target: Float32Array = new Float32Array(sum.length),
): Float32Array {
  if (target.length > sum.length) {
    throw new RangeError(`a sum of ${sum.length} coordinates does not fill ${target.length}`);
  }
  divide(target, sum, quantiser.scale);
  return target;
}

/** Where the bits that decide between two levels come from: 32 fresh ones a coordinate, in the vector's order. */
export interface RoundingBits {
  /** Fills every word. */
  fill(words: Uint32Array): void;
}

/**
 * An experiment's rounding bits, the same on every run: for a task that is declared a simulation and has no noise, where
 * rounding protects nothing that the sum does not show.
 */
export function seededRounding(random: SeededRandom): RoundingBits {
  return { fill: random.fill };
}

/** Rounding bits of the operating system: one 256-bit seed from it, expanded by the suite's stream cipher. */
export function secureRounding(provider: Pick<CryptoProvider, "random" | "keystream">): RoundingBits {
  const stream = provider.keystream(provider.random.bytes(32));
  return {
    fill(words) {
      new Uint8Array(words.buffer, words.byteOffset, words.byteLength).set(stream.next(words.byteLength));
    },
  };
}

/** A coordinate or metric is NaN or infinite. Says which one, never what the others are. */
export class NonFiniteUpdateError extends MurmurError {
  /** The coordinate's index in the update. */
  readonly index: number;

  constructor(index: number) {
    super("non-finite-update", `Coordinate ${index} of the update is not a finite number.`);
    this.index = index;
  }
}

/** 64 KiB of rounding bits at a time. */
const WORDS_PER_FILL = 16_384;

/**
 * Rounds a block without a branch that depends on it: two thirds of the time that {@link roundAndClamp} takes. Returns
 * whether every coordinate lay within ±L; otherwise the block has to be done again.
 */
function roundWithinRange(
  target: Int32Array,
  values: Float32Array,
  start: number,
  end: number,
  words: Uint32Array,
  scale: number,
  levels: number,
): boolean {
  let within = true;
  for (let i = start; i < end; i++) {
    const scaled = values[i] * scale;
    if (!(Math.abs(scaled) < levels)) within = false;
    const below = Math.floor(scaled);
    // No branch on a random bit: it would be mispredicted every other time. The two fractions sum to less than 2, so
    // that truncating is taking the floor.
    target[i] = (below | 0) + ((scaled - below + (words[i - start] + 0.5) * 2 ** -32) | 0);
  }
  return within;
}

/** Returns the index of the first coordinate that is not finite, or −1. */
function roundAndClamp(
  target: Int32Array,
  values: Float32Array,
  start: number,
  end: number,
  words: Uint32Array,
  scale: number,
  levels: number,
): number {
  for (let i = start; i < end; i++) {
    const scaled = values[i] * scale;
    // From ±L outwards either neighbour is clamped to ±L, whatever the bits say.
    if (!(scaled > -levels && scaled < levels)) {
      if (!Number.isFinite(values[i])) return i;
      target[i] = scaled > 0 ? levels : -levels;
      continue;
    }
    const below = Math.floor(scaled);
    target[i] = (below | 0) + ((scaled - below + (words[i - start] + 0.5) * 2 ** -32) | 0);
  }
  return -1;
}

function divide(target: Float32Array, sum: Int32Array, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i] = sum[i] / scale;
}
