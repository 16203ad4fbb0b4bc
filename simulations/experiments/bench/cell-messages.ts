import type { RunConfigDocument } from "../config.ts";
import type { RunStamp } from "../run-stamp.ts";
import type { CellResult } from "./cell-result.ts";

/** What a benchmark's process is asked to run. */
export interface CellOrder {
  readonly id: string;
  readonly document: RunConfigDocument;
  /** For the run while it lasts. */
  readonly folder: string;
  readonly stamp: RunStamp;
}

/** What it answers. */
export type CellAnswer =
  | { readonly kind: "done"; readonly id: string; readonly result: CellResult }
  | { readonly kind: "stopped"; readonly id: string }
  | { readonly kind: "failed"; readonly id: string; readonly message: string };
