import { encodeLocalUpdate, simulatedBatches, simulatedRounding } from "../../../client/local-update.ts";
import { ENGINES } from "../../../client/training/engines.ts";
import type {
  EarlierModel,
  Evaluation,
  Trainer,
  TrainingResult,
  TrainingTask,
} from "../../../client/training/trainer.ts";
import { deviceHalf } from "../../../shared/learning/algorithms/device-half.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { type TransformTerms, transformsOf } from "../../../shared/learning/transforms/index.ts";
import type { UpdateTransform } from "../../../shared/learning/transforms/update-transform.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { type Dataset, type ExampleBuffers, exampleBuffers, gatherExamples } from "../../datasets/index.ts";
import { type HoldingsSpec, holdExamples } from "../../datasets/partitions/holdings.ts";
import { loadModel } from "../../load-model.ts";

/** What a thread has to know to train any device of a fleet: data without code, its arrays shared. */
export interface FleetSetting {
  readonly engine: Trainer["engine"];
  /** As the configuration names it: one of the program's own, or a module's path. */
  readonly model: string;
  readonly dataset: Dataset;
  readonly devices: number;
  readonly partition: HoldingsSpec;
  readonly seed: number;
}

/** What is the same for every device of a round. */
export interface RoundWork {
  readonly round: number;
  readonly parameters: ParameterVector;
  readonly task: TrainingTask;
}

/** A device to train: an id and a place in the data, nothing more. */
export interface TrainingJob {
  /** Its place in the fleet. */
  readonly index: number;
  /** Names its streams of the seed. */
  readonly name: DeviceId;
  /** What it adds to each step's gradient, where the algorithm has devices do so. */
  readonly correction?: ParameterVector;
  /** What it trains from, where that is not the round's own model. */
  readonly earlier?: EarlierModel;
}

/** One thread's engine, with the model resident: a device comes as a job and leaves nothing behind. */
export interface FleetTrainer {
  train(work: RoundWork, job: TrainingJob): Promise<TrainingResult>;
  /**
   * Trains, and adds the device's ring vector to `sum` (mod 2^32). For algorithms whose devices keep nothing.
   * @throws {NonFiniteUpdateError}
   */
  trainInto(work: RoundWork, job: TrainingJob, terms: TransformTerms, sum: Int32Array): Promise<void>;
  /** Slices of the public test set, by number: of {@link EVALUATION_SLICE} examples each. */
  evaluate(parameters: ParameterVector, slices: readonly number[]): Promise<Evaluation[]>;
  dispose(): Promise<void>;
}

/** Figures are added up a slice at a time, so that they do not depend on who evaluated which. */
export const EVALUATION_SLICE = 500;

export async function createFleetTrainer(setting: FleetSetting): Promise<FleetTrainer> {
  const { dataset, seed } = setting;
  const trainer = await ENGINES[setting.engine](await loadModel(setting.model, dataset));
  const holdings = holdExamples(dataset.train, setting.devices, seed, setting.partition);
  let buffers: ExampleBuffers | undefined;

  /** Used again for each device whose update is added up here: fresh memory for each keeps the collector busy. */
  let trained: ParameterVector | undefined;
  let ring: Int32Array | undefined;
  /** Of the round: some have memory of their own. */
  let known: { readonly terms: TransformTerms; readonly transforms: readonly UpdateTransform[] } | undefined;

  async function train(
    { round, parameters, task }: RoundWork,
    job: TrainingJob,
    into?: ParameterVector,
  ): Promise<TrainingResult> {
    buffers ??= exampleBuffers(dataset.train, holdings.largest);
    const examples = gatherExamples(dataset.train, holdings.examples(job.index), buffers);
    const corrected = job.correction === undefined ? task : { ...task, correction: job.correction };
    const { earlier } = job;
    const batches = simulatedBatches({ seed, round, device: job.name });
    const result = await trainer.train(earlier?.parameters ?? parameters, examples, corrected, batches, into);
    return earlier === undefined ? result : { ...result, earlier };
  }

  return {
    train: (work, job) => train(work, job),
    async trainInto(work, job, terms, sum) {
      trained ??= new Float32Array(work.parameters.length);
      ring ??= new Int32Array(sum.length);
      const result = await train(work, job, trained);
      const rounding = simulatedRounding({ seed, round: work.round, device: job.name });
      if (terms !== known?.terms) known = { terms, transforms: transformsOf(terms) };
      const received = { broadcast: work.parameters };
      const { learningRate } = work.task;
      const half = deviceHalf(undefined);
      const randomness = { rounding, noise: "elsewhere" } as const;
      const { input } = encodeLocalUpdate(known.transforms, half, received, result, learningRate, randomness, ring);
      addInto(sum, input);
    },
    async evaluate(shared, slices) {
      // ONNX Runtime takes no tensors in shared memory.
      const parameters = shared.slice();
      const evaluations: Evaluation[] = [];
      for (const slice of slices) {
        const start = slice * EVALUATION_SLICE;
        const count = Math.min(EVALUATION_SLICE, dataset.test.count - start);
        const indices = Int32Array.from({ length: count }, (_, i) => start + i);
        evaluations.push(await trainer.evaluate(parameters, gatherExamples(dataset.test, indices)));
      }
      return evaluations;
    },
    dispose: () => trainer.dispose(),
  };
}

/** Everything that a test set of `count` examples is cut into. */
export function evaluationSlices(count: number): number[] {
  return Array.from({ length: Math.ceil(count / EVALUATION_SLICE) }, (_, slice) => slice);
}

/** In the order of the slices: floating-point sums depend on it. */
export function addEvaluations(slices: readonly Evaluation[]): Evaluation {
  return slices.reduce(
    (total, { examples, lossSum, correct }) => ({
      examples: total.examples + examples,
      lossSum: total.lossSum + lossSum,
      correct: total.correct + correct,
    }),
    { examples: 0, lossSum: 0, correct: 0 },
  );
}

/** The ring's addition: mod 2^32, of which the ring keeps its lower bits. */
export function addInto(sum: Int32Array, values: Int32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] + values[i]) | 0;
}
