import type { Evaluation, TrainingResult } from "../../../client/training/trainer.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import type { TransformTerms } from "../../../shared/learning/transforms/index.ts";
import {
  addEvaluations,
  createFleetTrainer,
  evaluationSlices,
  type FleetSetting,
  type RoundWork,
  type TrainingJob,
} from "./fleet-trainer.ts";

/** Where the devices of a simulation are trained: in this thread, or spread over worker threads. */
export interface TrainingPool {
  readonly workers: number;
  /**
   * Begins to train the devices that a round will want; others can be asked for later.
   * @param terms with them, updates are encoded and added up where they are trained, and only sums come back
   */
  begin(work: RoundWork, jobs: readonly TrainingJob[], terms?: SummingTerms): RoundTraining;
  /** On the dataset's public test set. */
  evaluate(parameters: ParameterVector): Promise<Evaluation>;
  dispose(): Promise<void>;
}

export interface SummingTerms extends TransformTerms {
  /** Coordinates and metric slots of the ring vector. */
  readonly dimension: number;
}

/** The training of one round's devices. A device that was not asked for at the beginning is trained when it is. */
export interface RoundTraining {
  /**
   * Once the device has trained: its result, or nothing where only sums come back. Rejects with what its engine threw.
   */
  trained(job: TrainingJob): Promise<TrainingResult | undefined>;
  /** Once every device that was begun with or asked for has trained or failed: those that are in the sum. */
  summed(): Promise<ReadonlySet<TrainingJob["index"]>>;
  /** The ring sum (mod 2^32) over {@link summed}, which has to have settled. */
  sum(): Int32Array;
  /** The round is over: devices that have not begun to train need not. */
  end(): void;
}

/** @throws {MurmurError} when the engine cannot train the model */
export type CreatePool = (setting: FleetSetting) => Promise<TrainingPool>;

/** Trains in this thread, one device after another, each when it is asked for. */
export async function createLocalPool(setting: FleetSetting): Promise<TrainingPool> {
  const trainer = await createFleetTrainer(setting);
  const slices = evaluationSlices(setting.dataset.test.count);
  return {
    workers: 1,
    begin(work, _jobs, terms) {
      const sum = new Int32Array(terms?.dimension ?? 0);
      const summed = new Set<number>();
      return {
        async trained(job) {
          if (terms === undefined) return trainer.train(work, job);
          await trainer.trainInto(work, job, terms, sum);
          summed.add(job.index);
          return undefined;
        },
        summed: async () => summed,
        sum: () => sum,
        end() {},
      };
    },
    evaluate: async (parameters) => addEvaluations(await trainer.evaluate(parameters, slices)),
    dispose: () => trainer.dispose(),
  };
}
