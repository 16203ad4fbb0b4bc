import { toHex } from "../../shared/crypto/bytes.ts";
import { parameterManifestFor } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import type { JsonObject, RunMeta } from "../../shared/protocol/run-meta.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import { rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { partitionText } from "../datasets/partitions/specification.ts";
import { configDocument, invitedPerRound, type RunConfig } from "./config.ts";
import type { Experiment } from "./experiment.ts";
import { configHash, modelHash } from "./fingerprints.ts";
import { privacyStamps } from "./privacy/privacy-statement.ts";
import type { RunContext } from "./run-context.ts";
import { writeLockedConfig, writeRunFiles } from "./run-files.ts";
import { type RunResult, runResult } from "./run-result.ts";

/** Writes down what is run, before its first round. */
export function startRun({ options, store, federation, recorder }: RunContext): void {
  const { config, runId, stamp, clock } = options;
  const { task, dataset, inputs, model, initial } = federation.experiment;
  const startedAt = clock();
  const provenance = {
    kind: "live",
    run: runId,
    configHash: configHash(config),
    seed: config.seed,
    version: stamp.tool,
    git: stamp.git === null ? "unknown" : `${stamp.git.commit}${stamp.git.dirty ? "+dirty" : ""}`,
    startedAt: stamp.startedAt,
  } as const;
  const parameters = largestRosterParameters(federation.experiment, config);
  const { fidelity } = config.secagg;
  const summary = {
    dataset: dataset.name,
    partition: partitionText(config.task.partition),
    model: model.name,
    parameters: initial.length,
    classes: dataset.outputs,
    devices: config.fleet.devices,
    cohort: config.round.cohort,
    invited: invitedPerRound(config),
    rounds: config.round.count,
    protection: fidelity !== "real" ? "none" : task.terms.mode === "plaintext" ? "plaintext" : task.terms.level,
    ...(parameters === undefined
      ? {}
      : {
          secagg: {
            graph: parameters.graph,
            degree: parameters.degree,
            threshold: parameters.threshold,
            bits: task.terms.bits,
          },
        }),
    ...(fidelity === "real" ? {} : { fidelity }),
    stamps: [
      ...(task.terms.mode === "plaintext" ? ["INSECURE-PLAINTEXT"] : []),
      ...(fidelity === "real" ? [] : [`CRYPTO-${fidelity.toUpperCase()}`]),
      ...privacyStamps(config),
    ],
  } as const;
  store.putMeta({
    run: runId,
    status: "running",
    config: configDocument(config) as JsonObject,
    configHash: configHash(config),
    stamp: {
      ...stamp,
      taskId: toHex(task.terms.taskId),
      transport: options.transport,
      ...inputs,
      engine: federation.experiment.engine,
      initialModelHash: modelHash(initial),
      seeds: "SHA-256 of (seed, purpose, round, device) into xoshiro128++",
    },
    startedAt,
  });
  writeLockedConfig(options.folder, config);
  recorder.emit("run.started", { provenance, summary });
  recorder.flush();
}

/** Closes what an earlier process left open. */
export function resumeRun({ store, recorder }: RunContext, meta: RunMeta): void {
  const spent = store.closeInterrupted();
  const { endedAt: _endedAt, result: _result, ...rest } = meta;
  store.putMeta({ ...rest, status: "running" });
  recorder.emit("run.resumed", { spent });
  recorder.flush();
}

/** Adds the run up, and writes the files of its folder. */
export function endRun(
  { options, store, federation, recorder }: RunContext,
  parameters: ParameterVector,
  status: RunResult["status"],
): RunResult {
  const { config, folder, runId, clock } = options;
  const { task, model } = federation.experiment;
  const meta = store.meta();
  if (meta === undefined) throw new Error("a run that ends was started");
  const records = store.rounds();
  const result = runResult({
    run: runId,
    folder,
    status,
    records,
    modelHash: modelHash(parameters),
    thresholds: config.thresholds,
    masked: task.terms.mode === "masked",
    fidelity: config.secagg.fidelity,
    level: task.terms.level,
    parameters: largestRosterParameters(federation.experiment, config),
    bits: task.terms.bits,
  });
  const endedAt = clock();
  recorder.emit("run.done", {
    status,
    rounds: result.rounds,
    abandoned: result.secagg.abandoned,
    accuracy: result.accuracy,
    loss: result.loss,
    seconds: (endedAt - meta.startedAt) / 1000,
    modelHash: result.modelHash,
  });
  recorder.flush();
  const { folder: _folder, ...figures } = result;
  store.putMeta({ ...meta, status, endedAt, result: figures });
  writeRunFiles(folder, {
    summary: { schema: "run/1", ...figures, stamp: { ...meta.stamp, configHash: meta.configHash, endedAt } },
    records,
    model: { name: model.name, manifest: parameterManifestFor(model), parameters },
  });
  return result;
}

/** What protects the largest roster that a round can close with; nothing does in plaintext. */
function largestRosterParameters({ task }: Experiment, config: RunConfig): AgreedParameters | undefined {
  if (task.terms.mode === "plaintext" || config.secagg.fidelity !== "real") return undefined;
  const parameters = rosterParameters(task.terms, invitedPerRound(config));
  return parameters.ok ? parameters : undefined;
}
