import { ENGINES } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import type { FederatedTask } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { type Algorithm, createAlgorithm } from "../../shared/learning/algorithms/index.ts";
import { MODELS, type ModelDefinition } from "../../shared/learning/models/index.ts";
import { initialParameters } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { allExamples, type Dataset, loadDataset } from "../datasets/index.ts";
import { partitionExamples } from "../datasets/partitions/index.ts";
import type { RunConfig } from "./config.ts";
import { createTask } from "./task-terms.ts";

/** What a configuration says is learnt, whoever the devices are and wherever they run. */
export interface Experiment {
  readonly config: RunConfig;
  readonly task: FederatedTask;
  readonly model: ModelDefinition;
  readonly dataset: Dataset;
  /** By device, the indices of its training examples. */
  readonly partition: readonly Int32Array[];
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
  const partition = partitionExamples(
    dataset.train.labels,
    config.fleet.devices,
    seededRandom(seed, "partition"),
    config.task.partition,
  );
  const initial = initialParameters(model, seededRandom(seed, "parameters"));
  const largestDevice = partition.reduce((most, indices) => Math.max(most, indices.length), 0);
  const task = createTask(config, provider, taskId, initial.length, largestDevice, authority);
  const trainer = await ENGINES[config.train.engine](model);
  const test = allExamples(dataset.test);
  return {
    config,
    task,
    model,
    dataset,
    partition,
    trainer,
    algorithm: createAlgorithm(config.algorithm),
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
