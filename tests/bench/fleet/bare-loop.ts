import { simulatedBatches } from "../../../client/local-update.ts";
import { ENGINES } from "../../../client/training/engines.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { simulatedDeviceIndex } from "../../../shared/protocol/ids.ts";
import { type ExampleBuffers, exampleBuffers, gatherExamples } from "../../../simulations/datasets/index.ts";
import { cpuSeconds } from "../serve/measuring.ts";
import type { SimulatedRound, Simulation } from "./simulation.ts";

/** Local SGD and nothing else: what a round's devices do, without a round. */
export interface BareLoop {
  /**
   * CPU seconds of the training of a round's devices, one after another, on examples that were gathered beforehand.
   * @throws {Error} when the mean of their models is not the round's, but for rounding: it was another training then
   */
  seconds(round: SimulatedRound): Promise<number>;
  close(): Promise<void>;
}

export async function openBareLoop({ experiment }: Simulation): Promise<BareLoop> {
  const { config, model, task, dataset, holdings } = experiment;
  const trainer = await ENGINES[config.train.engine](model);
  /** By place in the round: used again, so that the loop does not pay for the garbage of its preparation. */
  const buffers: ExampleBuffers[] = [];
  return {
    async seconds({ round, trained, before, after }) {
      const devices = trained.map((device, place) => {
        buffers[place] ??= exampleBuffers(dataset.train, holdings.largest);
        const indices = holdings.examples(simulatedDeviceIndex(device) ?? -1);
        return { device, examples: gatherExamples(dataset.train, indices, buffers[place]) };
      });
      const models: ParameterVector[] = [];
      const started = cpuSeconds();
      for (const { device, examples } of devices) {
        const batches = simulatedBatches({ seed: config.seed, round, device });
        models.push((await trainer.train(before, examples, task.training, batches)).parameters);
      }
      const seconds = cpuSeconds() - started;
      checkMean(models, after, config.quantise);
      return seconds;
    },
    close: () => trainer.dispose(),
  };
}

function checkMean(
  models: readonly ParameterVector[],
  after: ParameterVector,
  { bits, range }: { readonly bits: number; readonly range: number },
): void {
  // Each is rounded to a neighbouring level, so that their mean is less than a level away.
  const level = range / (2 ** (bits - 1) - 1);
  for (let i = 0; i < after.length; i++) {
    const mean = models.reduce((sum, model) => sum + model[i], 0) / models.length;
    if (!(Math.abs(mean - after[i]) < 1.01 * level)) {
      throw new Error(`parameter ${i} is ${after[i]} after the round and ${mean} after the bare loop`);
    }
  }
}
