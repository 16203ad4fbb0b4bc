import type { ParameterVector } from "../shared/learning/parameters.ts";
import { encodeUpdate } from "../shared/learning/transforms/index.ts";
import type { UpdateTransform } from "../shared/learning/transforms/update-transform.ts";
import { type SeededRandom, seededRandom } from "../shared/random/seeded-random.ts";
import { type RoundingBits, seededRounding } from "../shared/secagg/quantise.ts";
import type { TrainingResult } from "./training/trainer.ts";

/** A device's place in a round of a simulation: what names its streams of the experiment's seed. */
export interface SimulatedPlace {
  readonly seed: number;
  /** The round's number within its task. */
  readonly round: number;
  readonly device: string;
}

/** The order of its batches. */
export function simulatedBatches({ seed, round, device }: SimulatedPlace): SeededRandom {
  return seededRandom(seed, "batches", round, device);
}

/** The bits that round its update. */
export function simulatedRounding({ seed, round, device }: SimulatedPlace): RoundingBits {
  return seededRounding(seededRandom(seed, "rounding", round, device));
}

/**
 * The ring vector that is masked: trained minus received parameters, through the agreed transforms, with the device's
 * metrics in their slots. Overwrites the trained parameters.
 *
 * @throws {NonFiniteUpdateError} when training gave a value that is not finite
 */
export function encodeLocalUpdate(
  transforms: readonly UpdateTransform[],
  received: ParameterVector,
  { parameters, examples, lossSum, correct }: TrainingResult,
  rounding: RoundingBits,
): Int32Array {
  subtract(parameters, received);
  return encodeUpdate(
    transforms,
    { kind: "float", values: parameters, metrics: { examples, lossSum, correct } },
    { rounding },
  );
}

function subtract(from: ParameterVector, what: ParameterVector): void {
  for (let i = 0; i < from.length; i++) from[i] -= what[i];
}
