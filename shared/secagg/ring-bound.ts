import { MurmurError } from "../protocol/errors.ts";

/** The largest sum that a round can have, from what is agreed before it starts. */
export interface RingLoad {
  /** L: the largest absolute value of a quantised coordinate. */
  readonly levels: number;
  /** The largest encoded value of a metric slot; 0 without slots. */
  readonly largestSlot: number;
  /** n_max: how many devices are invited, since none beyond those can be in the sum. */
  readonly maxInputs: number;
  /** What the noise of all devices together adds at most, in levels, but for the failure probability it is given at. */
  readonly noiseTail?: number;
}

/**
 * Largest absolute value of a coordinate of the sum: n_max · max(L, largest slot) + noise tail.
 * @throws {RangeError} on a load that is not whole, not positive, or beyond exact doubles.
 */
export function largestSum(load: RingLoad): number {
  const { levels, largestSlot, maxInputs, noiseTail = 0 } = load;
  checkWhole("levels", levels, 1);
  checkWhole("largestSlot", largestSlot, 0);
  checkWhole("maxInputs", maxInputs, 1);
  if (!(noiseTail >= 0)) throw new RangeError(`noiseTail must not be negative, but is ${noiseTail}`);
  const sum = maxInputs * Math.max(levels, largestSlot) + Math.ceil(noiseTail);
  if (!(sum <= Number.MAX_SAFE_INTEGER)) throw new MurmurError("ring-too-narrow", tooLarge(load, sum));
  return sum;
}

/**
 * The smallest b, from 8 to 32, with 2^(b−1) > n_max · max(L, largest slot) + noise tail: no sum of valid inputs wraps.
 * @throws {MurmurError} `ring-too-narrow` when 32 bits do not hold it.
 */
export function smallestRingBits(load: RingLoad): number {
  const sum = largestSum(load);
  for (let bits = SMALLEST_RING; bits <= LARGEST_RING; bits++) {
    if (2 ** (bits - 1) > sum) return bits;
  }
  throw new MurmurError("ring-too-narrow", tooLarge(load, sum), {
    hint: "Lower `quantise.bits`, the cohort, or the largest value of a metric slot.",
  });
}

/**
 * The proof that both sides make before a round: the coordinator when the task is created, the device before it trains.
 * @throws {MurmurError} `ring-too-narrow`, with the width that would hold it.
 */
export function assertRingHolds(bits: number, load: RingLoad): void {
  const sum = largestSum(load);
  if (2 ** (bits - 1) > sum) return;
  const needed = smallestRingBits(load);
  throw new MurmurError(
    "ring-too-narrow",
    `${describe(load, sum)}, but a ring of ${bits} bits holds only up to ${2 ** (bits - 1) - 1}: ${needed} bits are needed.`,
  );
}

const SMALLEST_RING = 8;
const LARGEST_RING = 32;

function tooLarge(load: RingLoad, sum: number): string {
  return `${describe(load, sum)}, which is more than a ring of ${LARGEST_RING} bits holds.`;
}

function describe({ levels, largestSlot, maxInputs, noiseTail = 0 }: RingLoad, sum: number): string {
  const noise = noiseTail > 0 ? `, with noise up to ${Math.ceil(noiseTail)},` : "";
  return `${maxInputs} inputs of up to ${Math.max(levels, largestSlot)} each${noise} can sum to ${sum}`;
}

function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, but is ${value}`);
  }
}
