import { chooseEngine } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import type { Broadcast, FederatedTask } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { fedBuff } from "../../shared/learning/algorithms/fedbuff.ts";
import type { Algorithm, AlgorithmState } from "../../shared/learning/algorithms/index.ts";
import type { ModelDefinition } from "../../shared/learning/models/index.ts";
import { initialParameters, parameterManifestFor } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { refuseStatistics } from "../../shared/learning/private-models.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type Dataset, loadDataset, shareDataset } from "../datasets/index.ts";
import { type Holdings, holdExamples } from "../datasets/partitions/holdings.ts";
import type { FleetSetting } from "../fleet/training/fleet-trainer.ts";
import { type CreatePool, createLocalPool, type TrainingPool } from "../fleet/training/training-pool.ts";
import { loadModel } from "../load-model.ts";
import type { RunConfig } from "./config.ts";
import { loadAlgorithm } from "./load-algorithm.ts";
import { privacyPlan } from "./privacy/privacy-plan.ts";
import { type PrivateState, privateAlgorithm } from "./privacy/private-algorithm.ts";
import { privateTerms } from "./privacy/private-terms.ts";
import { type RecordedInputs, recordInputs } from "./recorded-inputs.ts";
import { createTask } from "./task-terms.ts";

/** What a configuration says is learnt, whoever the devices are and wherever they run. */
export interface Experiment {
  readonly config: RunConfig;
  readonly task: FederatedTask;
  readonly model: ModelDefinition;
  readonly dataset: Dataset;
  /** What was read from files. */
  readonly inputs: RecordedInputs;
  /** Which of the training examples are on which device. */
  readonly holdings: Holdings;
  readonly pool: TrainingPool;
  readonly algorithm: Algorithm;
  /** What trains: the configuration's engine, or its fallback. */
  readonly engine: Trainer["engine"];
  /** What the next round agrees on in the place of what the task's others do; absent: nothing. */
  roundTerms?(state: AlgorithmState): Broadcast["terms"];
  /** Before the first round, drawn from the seed. */
  readonly initial: ParameterVector;
  /** On the public test set. Numbers that are predicted are near or far, not right or wrong: they have no accuracy. */
  evaluate(parameters: ParameterVector): Promise<{ readonly accuracy?: number; readonly loss: number }>;
  dispose(): Promise<void>;
}

export interface ExperimentOptions {
  readonly config: RunConfig;
  readonly provider: CryptoProvider;
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  /** The pinned enrolment authority's key, at `active-server`. */
  readonly authority?: Uint8Array;
  /** Told when another engine trains than the one that was asked for. */
  readonly warn?: (text: string) => void;
  /** Where the devices of this process are trained; without it, in this thread. */
  readonly createPool?: CreatePool;
}

/** @throws {MurmurError} when data, model, ring or engine cannot serve the configuration. */
export async function prepareExperiment(options: ExperimentOptions): Promise<Experiment> {
  const { config, provider, taskId, authority } = options;
  const { seed } = config;
  // Shared from the beginning: worker threads take it as it is, and there is never a second copy.
  const dataset = shareDataset(await loadDataset(config.task.dataset, seed));
  const model = await loadModel(config.task.model, dataset);
  const holdings = holdExamples(dataset.train, config.fleet.devices, seed, config.task.partition);
  const initial = initialParameters(model, seededRandom(seed, "parameters"));
  const named = await loadAlgorithm(config, initial);
  const { buffered } = config.round;
  const plan = privacyPlan(config);
  if (plan !== undefined) refuseStatistics(config.task.model, parameterManifestFor(model));
  const personal = plan === undefined ? undefined : privateAlgorithm(named, plan);
  const algorithm: Algorithm = personal ?? (buffered === undefined ? named : fedBuff(named, buffered));
  const values = algorithm.broadcast(algorithm.init(initial)).length;
  const task = createTask(config, provider, taskId, values, holdings.largest, authority, algorithm);
  const { engine, instead } = await chooseEngine(model, config.train.engine, config.train.fallback);
  if (instead !== undefined)
    options.warn?.(`${instead.message} The engine ${engine} trains it, as train.fallback says.`);
  const setting: FleetSetting = {
    engine,
    model: config.task.model,
    dataset,
    devices: config.fleet.devices,
    partition: config.task.partition,
    seed,
  };
  const inputs = recordInputs(config, dataset);
  const pool = await (options.createPool ?? createLocalPool)(setting);
  return {
    config,
    task,
    model,
    inputs,
    holdings,
    dataset,
    engine,
    pool,
    algorithm,
    initial,
    ...(plan?.indicator === undefined
      ? {}
      : { roundTerms: (state) => privateTerms(plan, config, values, (state as PrivateState).clipNorm) }),
    async evaluate(parameters) {
      const { examples, correct, lossSum } = await pool.evaluate(parameters);
      const loss = lossSum / examples;
      return model.loss === "meanSquaredError" ? { loss } : { accuracy: correct / examples, loss };
    },
    dispose: () => pool.dispose(),
  };
}
