import { initialParameters } from "../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import type { AttackOptions, AttackTarget } from "../../../simulations/attacks/attack.ts";
import { loadDataset } from "../../../simulations/datasets/index.ts";
import { runConfigSchema } from "../../../simulations/experiments/config.ts";
import { loadModel } from "../../../simulations/load-model.ts";

/** A model of MNIST before its first round. */
export async function initialTarget(name = "2nn", seed = 1): Promise<AttackTarget> {
  const config = runConfigSchema.parse({ seed, task: { dataset: "mnist", model: name } });
  const dataset = await loadDataset("mnist", seed);
  const model = await loadModel(name, dataset);
  const parameters = initialParameters(model, seededRandom(seed, "parameters"));
  return { config, dataset, model, parameters, origin: "the initial model" };
}

export function options(changes: Partial<AttackOptions> = {}): AttackOptions {
  return {
    seed: 1,
    quick: true,
    cpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    ...changes,
  };
}
