import { euclideanNorm } from "../../shared/learning/transforms/clip.ts";
import { decodeSum, encodeUpdate, type TransformTerms, transformsOf } from "../../shared/learning/transforms/index.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { seededRounding } from "../../shared/secagg/quantise.ts";
import { createSlotTable } from "../../shared/secagg/slots.ts";
import { addInto } from "../fleet/training/fleet-trainer.ts";

export interface SumOptions {
  readonly seed: number;
  /** q: bits of a quantised coordinate. */
  readonly bits: number;
  /** The largest coordinate that is not clamped; or, where there is noise, the clip norm. */
  readonly range: number;
  /** z: absent, updates are neither clipped nor noised. */
  readonly noise?: number;
}

/**
 * What the coordinator sees of devices' updates: their sum, through the product's own transforms and ring, masks having
 * cancelled. Of one device, what it sees without secure aggregation.
 *
 * @param updates of the devices, not changed
 * @returns the sum, not the mean
 */
export function observedSum(updates: readonly Float32Array[], { seed, bits, range, noise }: SumOptions): Float32Array {
  const slots = createSlotTable<never>([]);
  const specifications = [
    ...(noise === undefined ? [] : [`clip:${range}`]),
    "weight:fixed:1",
    `quantise:${bits}:${range}`,
  ];
  const terms: TransformTerms = { transforms: specifications, slots, levels: 2 ** (bits - 1) - 1, clip: range };
  const transforms = transformsOf(terms);
  const sum = new Int32Array(updates[0].length);
  updates.forEach((values, device) => {
    const rounding = seededRounding(seededRandom(seed, "attacked-rounding", 0, device));
    addInto(sum, encodeUpdate(transforms, { kind: "float", values: values.slice(), metrics: {} }, { rounding }));
  });
  const { values } = decodeSum(transforms, { kind: "ring", values: sum, survivors: updates.length }, { round: 1 });
  if (noise !== undefined) {
    const random = seededRandom(seed, "attacked-noise");
    for (let i = 0; i < values.length; i++) values[i] += noise * range * random.normal();
  }
  return values;
}

/** What a device sends before anything is done to it: its parameters less those that it began with. */
export function subtracted(trained: Float32Array, began: Float32Array): Float32Array {
  const update = new Float32Array(trained.length);
  for (let i = 0; i < update.length; i++) update[i] = trained[i] - began[i];
  return update;
}

/** A range that clamps none of these coordinates: the coordinator chooses it, and a curious one chooses well. */
export function wholeRange(updates: readonly Float32Array[], from = 0, to = Number.POSITIVE_INFINITY): number {
  let largest = 0;
  for (const update of updates) {
    for (let i = from; i < Math.min(to, update.length); i++) largest = Math.max(largest, Math.abs(update[i]));
  }
  return 1.01 * largest;
}

/** The mean norm of updates, which is a usual clip norm. */
export function meanNorm(updates: readonly Float32Array[]): number {
  return updates.reduce((sum, update) => sum + euclideanNorm(update), 0) / updates.length;
}
