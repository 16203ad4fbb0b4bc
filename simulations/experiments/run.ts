import { openRunStore, type RunStore } from "../../server/store/run-store.ts";
import { fromHex } from "../../shared/crypto/bytes.ts";
import type { AlgorithmState } from "../../shared/learning/algorithms/index.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type RunMeta, transportOf } from "../../shared/protocol/run-meta.ts";
import { createEventRecorder } from "./event-recorder.ts";
import type { Federation } from "./federation.ts";
import { configHash } from "./fingerprints.ts";
import { checkInputs } from "./recorded-inputs.ts";
import type { RunContext, RunOptions } from "./run-context.ts";
import { endRun, resumeRun, startRun } from "./run-record.ts";
import type { RunResult } from "./run-result.ts";
import { type Progress, playRound } from "./run-round.ts";

export type { Federate, RunOptions } from "./run-context.ts";
export type { RunResult } from "./run-result.ts";

/**
 * A run from its first round, or from where it was left, to its last, with the devices that `federate` brings.
 *
 * @throws {MurmurError} when it cannot start, or a round cannot be trained.
 */
export async function runExperiment(options: RunOptions): Promise<RunResult> {
  const { config, folder, runId, provider, clock } = options;
  const store = openRunStore(folder, { mode: options.resume ? "resume" : "create" });
  let federation: Federation | undefined;
  // What is worth saying before the run has begun is said once it has.
  const early: string[] = [];
  let warn = (text: string): void => void early.push(text);
  try {
    const meta = options.resume ? resumedMeta(store, options) : undefined;
    const taskId = meta === undefined ? provider.random.bytes(16) : fromHex(String(meta.stamp.taskId));
    federation = await options.federate({
      config,
      provider,
      folder,
      runId,
      taskId,
      store,
      clock,
      warn: (text) => warn(text),
    });
    if (meta !== undefined) checkInputs(meta, federation.experiment.inputs);
    const { onEvent } = federation;
    const recorder = createEventRecorder(store, runId, clock, (event) => {
      options.onEvent(event);
      onEvent?.(event);
    });
    const run: RunContext = { options, store, federation, recorder };
    if (meta === undefined) startRun(run);
    else resumeRun(run, meta);
    warn = (text) => recorder.emit("log", { level: "warn", text });
    early.forEach(warn);
    return await playRounds(run);
  } finally {
    try {
      await federation?.dispose();
    } finally {
      store.close();
    }
  }
}

/** The folder's record of the run, if it is a run of this configuration, with its devices where they were. */
function resumedMeta(store: RunStore, { config, transport }: RunOptions): RunMeta {
  const meta = store.meta();
  if (meta === undefined) throw new MurmurError("run-not-found", "The folder holds no run that was started.");
  if (meta.configHash !== configHash(config)) {
    throw new MurmurError("config-invalid", "The run was started with another configuration.", {
      hint: "Resume it without changing its configuration, or start a new run.",
    });
  }
  if (transportOf(meta) !== transport) {
    throw new MurmurError("usage", `The run's devices were ${WHERE[transportOf(meta)]}.`, {
      hint: `Go on with it by \`murmur ${transport === "sockets" ? "run" : "serve"} --resume\`.`,
    });
  }
  return meta;
}

const WHERE = { "in-process": "in one process", sockets: "on sockets" } as const;

async function playRounds(run: RunContext): Promise<RunResult> {
  const { config, stop } = run.options;
  let progress = currentProgress(run);
  let abandonedInARow = 0;
  let status: RunResult["status"] = "done";
  try {
    while (progress.committed < config.round.count) {
      if (stop.request !== "none") {
        status = "interrupted";
        break;
      }
      const next = await playRound(run, progress);
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
      progress = next;
    }
  } catch (error) {
    const diverged = error instanceof MurmurError && error.name === "non-finite-update";
    closeFailed(run, progress.state, diverged ? "diverged" : "failed");
    throw error;
  }
  return endRun(run, progress.state.parameters, status);
}

/** Whatever ended it, no round is left open: its number is spent. */
function closeFailed(run: RunContext, state: AlgorithmState, status: "diverged" | "failed"): void {
  try {
    run.store.closeInterrupted();
    endRun(run, state.parameters, status);
  } catch (error) {
    // A store that failed fails again, and the first error says more. The run is found interrupted, and can be resumed.
    if (!(error instanceof Error)) throw error;
  }
}

function currentProgress({ store, federation: { experiment } }: RunContext): Progress {
  const { algorithm, initial } = experiment;
  const checkpoint = store.latestCheckpoint();
  return {
    state:
      checkpoint === undefined ? algorithm.init(initial) : algorithm.decode(checkpoint.parameters, checkpoint.state),
    lost: store.spentRounds().flatMap(({ round, reason }) => (reason === "interrupted" ? [round] : [])),
    committed: store.rounds().filter(({ outcome }) => outcome === "committed").length,
  };
}
