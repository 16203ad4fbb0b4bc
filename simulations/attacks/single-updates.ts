import type { Trainer } from "../../client/training/trainer.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type Dataset, gatherExamples } from "../datasets/index.ts";
import { subtracted } from "./observed-sum.ts";

/** Updates of devices that trained one step on one example each, and the examples. */
export interface SingleUpdates {
  readonly updates: readonly Float32Array[];
  readonly originals: readonly Float32Array[];
}

/** Draws the devices' examples from the seed, and trains each device from the same parameters. */
export async function singleUpdates(
  trainer: Trainer,
  dataset: Dataset,
  parameters: ParameterVector,
  { devices, learningRate, seed }: { readonly devices: number; readonly learningRate: number; readonly seed: number },
): Promise<SingleUpdates> {
  const drawn = seededRandom(seed, "attacked-examples").sample(dataset.train.count, devices);
  const task = { epochs: 1, batchSize: 1, learningRate };
  const updates: Float32Array[] = [];
  const originals: Float32Array[] = [];
  for (const [device, example] of drawn.entries()) {
    const examples = gatherExamples(dataset.train, [example]);
    const trained = await trainer.train(parameters, examples, task, seededRandom(seed, "attacked-batches", 0, device));
    updates.push(subtracted(trained.parameters, parameters));
    originals.push(examples.inputs.slice());
  }
  return { updates, originals };
}
