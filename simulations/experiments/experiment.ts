import { ENGINES } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import type { FederatedTask } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { Algorithm } from "../../shared/learning/algorithms/index.ts";
import { MODELS, type ModelDefinition } from "../../shared/learning/models/index.ts";
import { initialParameters } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { allExamples, type Dataset, loadDataset } from "../datasets/index.ts";
import { type Holdings, holdExamples } from "../datasets/partitions/holdings.ts";
import type { RunConfig } from "./config.ts";
import { configuredAlgorithm } from "./configured-algorithm.ts";
import { createTask } from "./task-terms.ts";

/** What a configuration says is learnt, whoever the devices are and wherever they run. */
export interface Experiment {
  readonly config: RunConfig;
  readonly task: FederatedTask;
  readonly model: ModelDefinition;
  readonly dataset: Dataset;
  /** Which of the training examples are on which device. */
  readonly holdings: Holdings;
  readonly trainer: Trainer;
  readonly algorithm: Algorithm;
  /** Before the first round, drawn from the seed. */
  readonly initial: ParameterVector;
  /** On the public test set. */
  evaluate(parameters: ParameterVector): Promise<{ readonly accuracy: number; readonly loss: number }>;
  dispose(): Promise<void>;
}

export interface ExperimentOptions {
  readonly config: RunConfig;
  readonly provider: CryptoProvider;
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  /** The pinned enrolment authority's key, at `active-server`. */
  readonly authority?: Uint8Array;
}

/** @throws {MurmurError} when data, model, ring or engine cannot serve the configuration. */
export async function prepareExperiment(options: ExperimentOptions): Promise<Experiment> {
  const { config, provider, taskId, authority } = options;
  const { seed } = config;
  const model = requireModel(config.task.model);
  const dataset = await loadDataset(config.task.dataset, seed);
  const holdings = holdExamples(dataset.train, config.fleet.devices, seed, config.task.partition);
  const initial = initialParameters(model, seededRandom(seed, "parameters"));
  const algorithm = configuredAlgorithm(config);
  const values = algorithm.broadcast(algorithm.init(initial)).length;
  const task = createTask(config, provider, taskId, values, holdings.largest, authority);
  const trainer = await ENGINES[config.train.engine](model);
  const test = allExamples(dataset.test);
  return {
    config,
    task,
    model,
    dataset,
    holdings,
    trainer,
    algorithm,
    initial,
    async evaluate(parameters) {
      const { examples, correct, lossSum } = await trainer.evaluate(parameters, test);
      return { accuracy: correct / examples, loss: lossSum / examples };
    },
    dispose: () => trainer.dispose(),
  };
}

function requireModel(name: string): ModelDefinition {
  const model = MODELS.get(name);
  if (model === undefined) throw new Error(`the configuration names a model that is not listed: ${name}`);
  return model;
}
