import type { DeviceHalf, Received } from "../shared/learning/algorithms/device-half.ts";
import { encodeUpdate } from "../shared/learning/transforms/index.ts";
import type { UpdateTransform } from "../shared/learning/transforms/update-transform.ts";
import { type NoiseWords, seededWords } from "../shared/privacy/noise/noise-words.ts";
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

/** What its noise is made of, where it makes any. */
export function simulatedNoise({ seed, round, device }: SimulatedPlace): NoiseWords<"seeded"> {
  return seededWords(seededRandom(seed, "noise", round, device));
}

/** What chance decides on the way of an update into the ring. */
export interface EncodingRandomness {
  readonly rounding: RoundingBits;
  /** `elsewhere`: a simulation draws the noise of all devices at once. */
  readonly noise: NoiseWords | "elsewhere";
}

/** What a device answers with, and what it is to keep if the answer is in the round's sum. */
export interface LocalUpdate {
  readonly input: Int32Array;
  readonly memory?: Float32Array;
}

/**
 * The ring vector that is masked: what the algorithm's device half makes of the training, through the agreed transforms,
 * with the device's metrics in their slots. Overwrites the trained parameters.
 *
 * @param ring memory for it, in the place of fresh memory
 * @throws {NonFiniteUpdateError} when training gave a value that is not finite
 */
export function encodeLocalUpdate(
  transforms: readonly UpdateTransform[],
  half: DeviceHalf,
  received: Received,
  { parameters, steps, examples, lossSum, correct, earlier, pads }: TrainingResult,
  learningRate: number,
  { rounding, noise }: EncodingRandomness,
  ring?: Int32Array,
): LocalUpdate {
  const start = earlier === undefined ? received : { ...received, broadcast: earlier.parameters };
  const { update, memory } = half.finish(start, { parameters, steps, learningRate });
  const metrics = { examples, lossSum, correct };
  const context = {
    rounding,
    noise,
    ...(pads === undefined ? {} : { pads }),
    ...(earlier === undefined ? {} : { staleness: earlier.staleness }),
    ...(ring === undefined ? {} : { ring }),
  };
  const input = encodeUpdate(transforms, { kind: "float", values: update, metrics }, context);
  return memory === undefined ? { input } : { input, memory };
}
