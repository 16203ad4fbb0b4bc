import type { SeededRandom } from "../../shared/random/seeded-random.ts";

/**
 * One epoch's batches: the indices 0 … count − 1 in an order drawn from `random`, cut into parts of `batchSize`; the last
 * part may be smaller. Every engine takes its batches from here, so that one stream means one order everywhere. The parts
 * are views of one array, in order.
 */
export function epochBatches(count: number, batchSize: number, random: SeededRandom): Int32Array[] {
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new RangeError(`A batch of ${batchSize} examples.`);
  const order = random.shuffle(Int32Array.from({ length: count }, (_, index) => index));
  const batches: Int32Array[] = [];
  for (let start = 0; start < count; start += batchSize) batches.push(order.subarray(start, start + batchSize));
  return batches;
}
