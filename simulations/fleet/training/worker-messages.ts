import type { Evaluation, TrainingResult } from "../../../client/training/trainer.ts";
import type { RoundWork, TrainingJob } from "./fleet-trainer.ts";
import type { SummingTerms } from "./training-pool.ts";

/**
 * What crosses between the threads. Parameters, sums and the dataset are views of SharedArrayBuffers; besides them only
 * ids, seeds and figures do.
 */
export type ToWorker =
  | {
      readonly kind: "train";
      readonly batch: number;
      readonly work: RoundWork;
      readonly jobs: readonly TrainingJob[];
      /** Adds updates up here, instead of handing them back. */
      readonly into?: { readonly terms: SummingTerms; readonly sum: Int32Array };
      /** One element; not zero once the jobs that have not begun are not wanted any more. */
      readonly cancelled: Int32Array;
    }
  | { readonly kind: "evaluate"; readonly parameters: Float32Array; readonly slices: readonly number[] }
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "broken"; readonly error: ThreadError }
  | { readonly kind: "trained"; readonly batch: number; readonly index: number; readonly result?: TrainingResult }
  | { readonly kind: "failed"; readonly batch: number; readonly index: number; readonly error: ThreadError }
  /** Nothing more comes of the jobs that were sent together. */
  | { readonly kind: "ended"; readonly batch: number }
  | { readonly kind: "evaluated"; readonly slices: readonly Evaluation[] }
  | { readonly kind: "stopped" };

/** An error's name and words: errors themselves lose their class on the way. */
export interface ThreadError {
  readonly name: string;
  readonly message: string;
  readonly hint?: string;
}
