import { createHash } from "node:crypto";
import { join } from "node:path";
import { openRunStore, type RunStore } from "../../server/store/run-store.ts";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { AlgorithmState } from "../../shared/learning/algorithms/index.ts";
import { parameterManifestFor } from "../../shared/learning/models/model-parameters.ts";
import { type ParameterVector, parameterBytes } from "../../shared/learning/parameters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import type { JsonObject, RunMeta } from "../../shared/protocol/run-meta.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import { rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { FLEET_JOURNAL_FILE, type FleetJournal, openFleetJournal } from "../fleet/fleet-journal.ts";
import { configDocument, invitedPerRound, type RunConfig } from "./config.ts";
import { createEventRecorder, type EventRecorder } from "./event-recorder.ts";
import { createFederation, type Federation, type PlayedRound } from "./federation.ts";
import { roundSeconds } from "./round-figures.ts";
import { createRoundLog, type RoundLog } from "./round-log.ts";
import { authorityOf } from "./run-authority.ts";
import { writeLockedConfig, writeRunFiles } from "./run-files.ts";
import { type RunResult, runResult } from "./run-result.ts";
import type { RunStamp } from "./run-stamp.ts";

export type { RunResult } from "./run-result.ts";

export interface RunOptions {
  readonly config: RunConfig;
  /** runs/<id> */
  readonly folder: string;
  readonly runId: string;
  /** Goes on with the run that the folder holds. */
  readonly resume: boolean;
  readonly stamp: RunStamp;
  readonly provider: CryptoProvider;
  onEvent(event: RunEvent): void;
  readonly stop: StopSignal;
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Lets the process's other events in: signals, drawing. */
  breathe(): Promise<void>;
}

/** How urgently a person wants the run to stop. */
export interface StopSignal {
  readonly request: "none" | "after-round" | "now";
}

/**
 * A run from its first round, or from where it was left, to its last: one process plays the coordinator and every
 * device, with the state machines and the encoded messages that sockets carry elsewhere.
 *
 * @throws {MurmurError} when it cannot start, or a round cannot be trained.
 */
export async function runExperiment(options: RunOptions): Promise<RunResult> {
  const { config, folder, runId, provider, clock } = options;
  const store = openRunStore(folder, { mode: options.resume ? "resume" : "create" });
  let journal: FleetJournal | undefined;
  let federation: Federation | undefined;
  try {
    journal = openFleetJournal(join(folder, FLEET_JOURNAL_FILE));
    const meta = options.resume ? resumedMeta(store, config) : undefined;
    const taskId = meta === undefined ? provider.random.bytes(16) : fromHex(String(meta.stamp.taskId));
    federation = await createFederation({
      config,
      provider,
      taskId,
      journal,
      ...authorityOf(config, provider, clock()),
    });
    const recorder = createEventRecorder(store, runId, clock, options.onEvent);
    if (meta === undefined) startRun(options, store, federation, recorder);
    else resumeRun(store, recorder, meta);
    return await playRounds(options, store, federation, recorder);
  } finally {
    await federation?.dispose();
    journal?.close();
    store.close();
  }
}

/** The folder's record of the run, if it is a run of this configuration. */
function resumedMeta(store: RunStore, config: RunConfig): RunMeta {
  const meta = store.meta();
  if (meta === undefined) throw new MurmurError("run-not-found", "The folder holds no run that was started.");
  if (meta.configHash !== configHash(config)) {
    throw new MurmurError("config-invalid", "The run was started with another configuration.", {
      hint: "Resume it without changing its configuration, or start a new run.",
    });
  }
  return meta;
}

function startRun(options: RunOptions, store: RunStore, federation: Federation, recorder: EventRecorder): void {
  const { config, runId, stamp, clock } = options;
  const { task, dataset, model } = federation;
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
  const parameters = largestRosterParameters(federation, config);
  const summary = {
    dataset: dataset.name,
    partition: partitionText(config),
    model: model.name,
    parameters: federation.initial.length,
    classes: dataset.classes,
    devices: config.fleet.devices,
    cohort: config.round.cohort,
    invited: invitedPerRound(config),
    rounds: config.round.count,
    protection: task.terms.mode === "plaintext" ? "plaintext" : task.terms.level,
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
    stamps: task.terms.mode === "plaintext" ? ["INSECURE-PLAINTEXT"] : [],
  } as const;
  store.putMeta({
    run: runId,
    status: "running",
    config: configDocument(config) as JsonObject,
    configHash: configHash(config),
    stamp: {
      ...stamp,
      taskId: toHex(task.terms.taskId),
      dataset: { name: dataset.name, sha256: dataset.sha256 },
      engine: config.train.engine,
      initialModelHash: sha256Hex(federation.initial),
      seeds: "SHA-256 of (seed, purpose, round, device) into xoshiro128++",
    },
    startedAt,
  });
  writeLockedConfig(options.folder, config);
  recorder.emit("run.started", { provenance, summary });
  recorder.flush();
}

function resumeRun(store: RunStore, recorder: EventRecorder, meta: RunMeta): void {
  const spent = store.closeInterrupted();
  const { endedAt: _endedAt, result: _result, ...rest } = meta;
  store.putMeta({ ...rest, status: "running" });
  recorder.emit("run.resumed", { spent });
  recorder.flush();
}

async function playRounds(
  options: RunOptions,
  store: RunStore,
  federation: Federation,
  recorder: EventRecorder,
): Promise<RunResult> {
  const { config, stop } = options;
  let state = currentState(store, federation);
  let committed = store.rounds().filter(({ outcome }) => outcome === "committed").length;
  let abandonedInARow = 0;
  let status: RunResult["status"] = "done";
  try {
    while (committed < config.round.count) {
      if (stop.request !== "none") {
        status = "interrupted";
        break;
      }
      const next = await playRound(options, store, federation, recorder, state, committed);
      if (next === "stopped") {
        status = "interrupted";
        break;
      }
      if (next === "abandoned") {
        abandonedInARow++;
        if (abandonedInARow <= config.round.maxAbandoned) continue;
        status = "failed";
        break;
      }
      abandonedInARow = 0;
      committed++;
      state = next;
    }
  } catch (error) {
    // Whatever ended it, no round is left open: its number is spent.
    store.closeInterrupted();
    const diverged = error instanceof MurmurError && error.name === "non-finite-update";
    endRun(options, store, federation, recorder, state.parameters, diverged ? "diverged" : "failed");
    throw error;
  }
  return endRun(options, store, federation, recorder, state.parameters, status);
}

function currentState({ latestCheckpoint }: RunStore, { algorithm, initial }: Federation): AlgorithmState {
  const checkpoint = latestCheckpoint();
  if (checkpoint === undefined) return algorithm.init(initial);
  return algorithm.decode(checkpoint.parameters, checkpoint.state);
}

async function playRound(
  options: RunOptions,
  store: RunStore,
  federation: Federation,
  recorder: EventRecorder,
  state: AlgorithmState,
  committed: number,
): Promise<AlgorithmState | "abandoned" | "stopped"> {
  const { clock, stop } = options;
  // Written and synced before the round's first message leaves: whatever happens, no number is used twice.
  const round = store.spendRound();
  const log = createRoundLog(round, recorder, clock);
  const played = await federation.play(round, state.parameters, {
    onSelected: (invited) => log.selected(invited),
    onFacts: (facts) => log.take(facts),
    onTrainingError: (device, error) => reportTrainingError(recorder, round, device, error),
    breathe: options.breathe,
    stopped: () => stop.request === "now",
    startsAt: clock(),
  });
  if (played.outcome.kind === "abandoned") {
    abandonRound(store, recorder, log, round, played, sha256Hex(state.parameters), clock());
    requireTrainable(log, played.invited);
    requireDevicesLeft(played);
    return played.outcome.reason === "stopped" ? "stopped" : "abandoned";
  }
  return commitRound(options, store, federation, recorder, { round, log, played, state, committed });
}

interface SummedRound {
  readonly round: number;
  readonly log: RoundLog;
  readonly played: PlayedRound;
  readonly state: AlgorithmState;
  readonly committed: number;
}

async function commitRound(
  { config, clock }: RunOptions,
  store: RunStore,
  { algorithm, evaluate }: Federation,
  recorder: EventRecorder,
  { round, log, played, state, committed }: SummedRound,
): Promise<AlgorithmState> {
  const { outcome, traffic, invited } = played;
  if (outcome.kind !== "summed") throw new Error("only a round with a sum is committed");
  const { aggregate, metrics, survivors, exact } = outcome;
  log.enter("apply", survivors.length);
  store.markUploadsUsed(round, survivors);
  const next = algorithm.next(state, aggregate);
  requireFinite(next.parameters);
  const last = committed + 1 === config.round.count;
  const isDue = last || (committed + 1) % config.round.evaluateEvery === 0;
  const test = isDue ? await evaluate(next.parameters) : undefined;
  log.close(survivors);
  const modelHash = sha256Hex(next.parameters);
  const examples = metrics.examples ?? 0;
  const record: RoundRecord = {
    round,
    outcome: "committed",
    invited,
    survivors: survivors.length,
    drops: log.drops,
    ...(test === undefined ? {} : { accuracy: test.accuracy, testLoss: test.loss }),
    ...(examples > 0 ? { loss: (metrics.lossSum ?? 0) / examples } : {}),
    ...traffic,
    seconds: log.seconds,
    exact,
    modelHash,
    at: clock(),
  };
  recorder.emit(
    "round.done",
    {
      round: committed + 1,
      acc: test?.accuracy ?? null,
      loss: test?.loss ?? null,
      eps: null,
      cohort: survivors.length,
      lost: log.lost,
      up: traffic.bytesUp,
      down: traffic.bytesDown,
      ms: 1000 * roundSeconds(log),
      drops: log.drops,
      seconds: log.seconds,
      exact,
    },
    round,
  );
  const { parameters } = next;
  store.commitRound({ round, record, parameters, state: algorithm.encode(next), events: recorder.take() });
  return next;
}

function abandonRound(
  store: RunStore,
  recorder: EventRecorder,
  log: RoundLog,
  round: number,
  { outcome, invited, traffic }: PlayedRound,
  modelHash: string,
  at: number,
): void {
  if (outcome.kind !== "abandoned") throw new Error("only a round without a sum is abandoned");
  log.close([]);
  const { reason, stage, have, need, detail } = outcome;
  const { drops, seconds } = log;
  const record: RoundRecord = {
    round,
    outcome: "abandoned",
    reason,
    detail,
    invited,
    survivors: 0,
    drops,
    ...traffic,
    seconds,
    modelHash,
    at,
  };
  recorder.emit("round.abandoned", { reason, stage, have, need, detail }, round);
  store.abandonRound({ round, record, events: recorder.take() });
}

function reportTrainingError(recorder: EventRecorder, round: number, device: DeviceId, error: unknown): void {
  const text = `${device} could not train: ${error instanceof Error ? error.message : String(error)}`;
  recorder.emit("log", { level: "error", text }, round);
}

/** A round that was lost because training gave no finite update will be lost again. */
function requireTrainable(log: RoundLog, invited: number): void {
  const nonFinite = log.trainingFailures.filter((code) => code === "non-finite-update").length;
  if (2 * nonFinite <= invited) return;
  throw new MurmurError(
    "non-finite-update",
    `${nonFinite} of ${invited} devices trained to values that are not finite, so the round was abandoned.`,
  );
}

/** No later round on this model can have more devices. */
function requireDevicesLeft({ outcome }: PlayedRound): void {
  if (outcome.kind !== "abandoned" || outcome.reason !== "model-exhausted") return;
  throw new MurmurError("model-exhausted", `The run cannot go on: ${outcome.detail}.`);
}

function requireFinite(parameters: ParameterVector): void {
  const index = parameters.findIndex((value) => !Number.isFinite(value));
  if (index === -1) return;
  throw new MurmurError("non-finite-update", `Parameter ${index} of the new model is not a finite number.`);
}

function endRun(
  options: RunOptions,
  store: RunStore,
  federation: Federation,
  recorder: EventRecorder,
  parameters: ParameterVector,
  status: RunResult["status"],
): RunResult {
  const { config, folder, runId, clock } = options;
  const { task, model } = federation;
  const meta = store.meta();
  if (meta === undefined) throw new Error("a run that ends was started");
  const records = store.rounds();
  const result = runResult({
    run: runId,
    folder,
    status,
    records,
    modelHash: sha256Hex(parameters),
    thresholds: config.thresholds,
    masked: task.terms.mode === "masked",
    level: task.terms.level,
    parameters: largestRosterParameters(federation, config),
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
function largestRosterParameters({ task }: Federation, config: RunConfig): AgreedParameters | undefined {
  if (task.terms.mode === "plaintext") return undefined;
  const parameters = rosterParameters(task.terms, invitedPerRound(config));
  return parameters.ok ? parameters : undefined;
}

function partitionText({ task: { partition } }: RunConfig): string {
  switch (partition.kind) {
    case "iid":
      return "iid";
    case "shards":
      return `${partition.perDevice} shards a device`;
    case "dirichlet":
      return `Dirichlet ${partition.alpha}`;
  }
}

/** SHA-256 of the configuration's canonical JSON: keys in order. */
export function configHash(config: RunConfig): string {
  return createHash("sha256")
    .update(canonicalJson(configDocument(config)))
    .digest("hex");
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(",")}}`;
}

function sha256Hex(parameters: ParameterVector): string {
  return createHash("sha256").update(parameterBytes(parameters)).digest("hex");
}
