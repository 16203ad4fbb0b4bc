import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileInference } from "../../client/training/onnx/export.ts";
import { UntraceableModelError } from "../../client/training/onnx/untraceable-model-error.ts";
import { openRunReader } from "../../server/store/run-reader.ts";
import type { ModelDefinition } from "../../shared/learning/models/index.ts";
import { layersArtifacts } from "../../shared/learning/models/layers-artifacts.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { JsonObject } from "../../shared/protocol/run-meta.ts";
import { loadModel } from "../load-model.ts";
import { moduleRecord } from "../own-module.ts";
import { runConfigSchema } from "./config.ts";
import { ownModules } from "./config-paths.ts";
import { checkModules, type RecordedInputs } from "./recorded-inputs.ts";

export interface ExportedModel {
  readonly run: string;
  readonly model: string;
  /** Committed rounds that it was trained for. */
  readonly round: number;
  /** SHA-256 of the parameters. */
  readonly modelHash: string;
  /** What was written, by name in the folder. */
  readonly files: readonly string[];
  /** Why there is no model.onnx, where there is none. */
  readonly withoutOnnx?: string;
}

export interface ExportOptions {
  /** Of the run. */
  readonly folder: string;
  /** That the files are written to; it is made. */
  readonly target: string;
  /** Overwrites what is there. */
  readonly force: boolean;
  /** Writes nothing. */
  readonly dryRun: boolean;
}

/**
 * Writes a run's model, as of its last committed round, for use elsewhere.
 * @throws {MurmurError} `run-not-found`, `input-changed` when its model module is another, `file-exists`
 */
export async function exportModel({ folder, target, force, dryRun }: ExportOptions): Promise<ExportedModel> {
  const { config, run, inputs, checkpoint } = readTrained(folder);
  checkModules(
    inputs,
    ownModules(config)
      .filter(({ role }) => role === "model")
      .map(({ role, path }) => moduleRecord(role, path)),
  );
  const { dataset } = inputs;
  const definition = await loadModel(config.task.model, dataset);
  const metadata = {
    run,
    round: checkpoint.round,
    model: definition.name,
    modelHash: checkpoint.hash,
    loss: definition.loss,
    dataset: dataset.name,
    // What a stored value is multiplied by before the model is fed it.
    scale: dataset.scale,
    ...(dataset.classNames === undefined ? {} : { classNames: dataset.classNames }),
  };
  const { modelJson, shards } = layersArtifacts(definition, checkpoint.parameters, { murmuration: metadata });
  const onnx = onnxFile(definition, checkpoint.parameters);
  const files = new Map<string, string | Uint8Array>([
    ["model.json", `${JSON.stringify(modelJson)}\n`],
    ...shards,
    ...(onnx.bytes === undefined ? [] : [["model.onnx", onnx.bytes] as const]),
  ]);
  const taken = [...files.keys()].filter((name) => existsSync(join(target, name)));
  if (taken.length > 0 && !force) {
    throw new MurmurError("file-exists", `${target} already holds ${taken.join(" and ")}; nothing was written.`, {
      hint: "Choose another folder with --to, or overwrite with --force.",
    });
  }
  if (!dryRun) writeFiles(target, files);
  return {
    run,
    model: definition.name,
    round: checkpoint.round,
    modelHash: checkpoint.hash,
    files: [...files.keys()],
    ...(onnx.bytes === undefined ? { withoutOnnx: onnx.reason } : {}),
  };
}

/** @throws {MurmurError} `environment` */
function writeFiles(target: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  try {
    mkdirSync(target, { recursive: true });
    for (const [name, content] of files) writeFileSync(join(target, name), content);
  } catch (cause) {
    throw new MurmurError("environment", `${target} cannot be written to: ${(cause as Error).message}.`, {
      cause,
      hint: "Choose another folder with --to.",
    });
  }
}

/** The model as an ONNX file, or why it has no such form. */
function onnxFile(
  definition: ModelDefinition,
  parameters: ParameterVector,
): { readonly bytes: Uint8Array } | { readonly bytes?: never; readonly reason: string } {
  try {
    return { bytes: compileInference(definition, parameters).bytes };
  } catch (error) {
    if (error instanceof UntraceableModelError) return { reason: error.message };
    throw error;
  }
}

function readTrained(folder: string) {
  const reader = openRunReader(folder);
  try {
    const meta = reader.meta();
    const checkpoint = reader.latestCheckpoint();
    if (meta === undefined || checkpoint === undefined) {
      throw new MurmurError("run-not-found", `${folder} holds no committed round, and so no trained model.`, {
        hint: "Go on with it by `murmur run --resume`, or export another run; `murmur list` shows them.",
      });
    }
    const inputs = meta.stamp as JsonObject & RecordedInputs;
    return { config: runConfigSchema.parse(meta.config), run: meta.run, inputs, checkpoint };
  } finally {
    reader.close();
  }
}
