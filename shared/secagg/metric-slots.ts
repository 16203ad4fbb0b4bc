import { createSlotTable, type SlotTable } from "./slots.ts";

/** The metrics of a round that are summed under the masks. */
export type RoundMetric = "weight" | "examples" | "lossSum" | "correct" | "clipped";

/**
 * The slot table of a round, without differential privacy (under it a slot is noised and accounted, or does not exist).
 * Scales are chosen so that no slot exceeds L where that costs no exactness, and so does not widen the ring.
 *
 * | slot | unit | encoded |
 * |---|---|---|
 * | weight | w / W_max, 0 … 1 | multiples of 1 / W: exact while W ≤ L |
 * | examples | count | exact |
 * | lossSum | sum of example losses, in nats | multiples of a power of two |
 * | correct | count of examples predicted right | exact |
 * | clipped | 1 when the update was shortened | exact |
 */
export function metricSlots(options: {
  /** Examples of the largest device; a device with more reports this many. */
  readonly largestExampleCount: number;
  /** W: the number of examples from which a weight is 1. 1 when updates are not weighted. */
  readonly weightCap: number;
  /** Mean loss that a device reports at most, in nats. A uniform guess among 10 classes loses 2.3. */
  readonly largestMeanLoss: number;
  /** L of the quantiser. */
  readonly levels: number;
}): SlotTable<RoundMetric> {
  const { largestExampleCount, weightCap, largestMeanLoss, levels } = options;
  const largestLossSum = largestExampleCount * largestMeanLoss;
  const lossScale = 2 ** Math.floor(Math.log2(levels / largestLossSum));
  return createSlotTable([
    { name: "weight", max: 1, scale: Math.min(weightCap, levels), excess: "error" },
    { name: "examples", max: largestExampleCount, scale: 1, excess: "clamp" },
    { name: "lossSum", max: largestLossSum, scale: lossScale, excess: "clamp" },
    { name: "correct", max: largestExampleCount, scale: 1, excess: "clamp" },
    { name: "clipped", max: 1, scale: 1, excess: "error" },
  ]);
}
