import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { EVENT_LOG_FILE } from "../../server/store/run-store.ts";
import type { ParameterManifest, ParameterVector } from "../../shared/learning/parameters.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { configDocument, type RunConfig } from "./config.ts";
import { roundSeconds } from "./round-figures.ts";

/**
 * The files of a run's folder that are made from its record (`demo.md` 5.4). `run.db` and the event log are the store's.
 */
export const RUN_FILES = {
  summary: "run.json",
  config: "config.lock.yaml",
  metrics: "metrics.csv",
  model: "model.json",
  weights: "model.f32",
  sums: "SHA256SUMS",
} as const;

/** The resolved configuration, written before the first round: it reproduces the run. */
export function writeLockedConfig(folder: string, config: RunConfig): void {
  writeWhole(folder, RUN_FILES.config, stringify(configDocument(config)));
}

export interface RunFolderContents {
  readonly summary: unknown;
  readonly records: readonly RoundRecord[];
  readonly model: { readonly name: string; readonly manifest: ParameterManifest; readonly parameters: ParameterVector };
}

/** Everything but the configuration, when a run ends or pauses; then the hashes of all of it. */
export function writeRunFiles(folder: string, { summary, records, model }: RunFolderContents): void {
  writeWhole(folder, RUN_FILES.summary, `${JSON.stringify(summary, null, 2)}\n`);
  writeWhole(folder, RUN_FILES.metrics, metricsCsv(records));
  writeWhole(folder, RUN_FILES.weights, parameterBytes(model.parameters));
  const description = { model: model.name, weights: RUN_FILES.weights, dtype: "float32-le", ...model.manifest };
  writeWhole(folder, RUN_FILES.model, `${JSON.stringify(description, null, 2)}\n`);
  const listed = [
    RUN_FILES.config,
    EVENT_LOG_FILE,
    RUN_FILES.metrics,
    RUN_FILES.model,
    RUN_FILES.weights,
    RUN_FILES.summary,
  ];
  const lines = listed
    .filter((name) => existsSync(join(folder, name)))
    .map((name) => `${sha256File(folder, name)}  ${name}`);
  writeWhole(folder, RUN_FILES.sums, `${lines.join("\n")}\n`);
}

const COLUMNS = [
  "round",
  "outcome",
  "reason",
  "accuracy",
  "test_loss",
  "train_loss",
  "invited",
  "survivors",
  "bytes_up",
  "bytes_down",
  "seconds",
  "exact",
  "model_sha256",
] as const;

function metricsCsv(records: readonly RoundRecord[]): string {
  const rows = records.map((record) =>
    [
      record.round,
      record.outcome,
      record.reason,
      record.accuracy,
      record.testLoss,
      record.loss,
      record.invited,
      record.survivors,
      record.bytesUp,
      record.bytesDown,
      roundSeconds(record),
      record.exact,
      record.modelHash,
    ]
      .map((value) => value ?? "")
      .join(","),
  );
  return `${[COLUMNS.join(","), ...rows].join("\n")}\n`;
}

/** A file is there whole or not at all: whoever reads the folder of a killed run finds no half of one. */
function writeWhole(folder: string, name: string, content: string | Uint8Array): void {
  const path = join(folder, name);
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

function sha256File(folder: string, name: string): string {
  return createHash("sha256")
    .update(readFileSync(join(folder, name)))
    .digest("hex");
}
