import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRunStore } from "../../../server/store/run-store.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { createStopSwitch } from "../../../shared/time/stop-signal.ts";
import { type RunConfigDocument, runConfigSchema } from "../../../simulations/experiments/config.ts";
import { createEventRecorder } from "../../../simulations/experiments/event-recorder.ts";
import type { Experiment } from "../../../simulations/experiments/experiment.ts";
import { federateInProcess } from "../../../simulations/experiments/federate-in-process.ts";
import type { RunContext, RunOptions } from "../../../simulations/experiments/run-context.ts";
import { startRun } from "../../../simulations/experiments/run-record.ts";
import { type Progress, playRound } from "../../../simulations/experiments/run-round.ts";
import type { CreatePool } from "../../../simulations/fleet/training/training-pool.ts";

/** What `murmur run` does between its start and its end, a round at a time. */
export interface Simulation {
  readonly experiment: Experiment;
  /**
   * Plays one round.
   * @throws {Error} when it is abandoned
   */
  round(): Promise<SimulatedRound>;
  /** Plays one round that may be abandoned. */
  attempt(): Promise<SimulatedRound | undefined>;
  close(): Promise<void>;
}

export interface SimulatedRound {
  readonly round: number;
  /** Names of the devices that trained, in the order in which they had. */
  readonly trained: readonly string[];
  readonly before: ParameterVector;
  readonly after: ParameterVector;
}

export async function openSimulation(document: RunConfigDocument, createPool: CreatePool): Promise<Simulation> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-bench-"));
  const config = runConfigSchema.parse(document);
  const store = openRunStore(join(folder, "run"), { mode: "create" });
  let trained: string[] = [];
  const options: RunOptions = {
    config,
    folder: join(folder, "run"),
    runId: "bench",
    resume: false,
    stamp: STAMP,
    provider: cryptoProvider,
    onEvent(event) {
      if (event.type !== "device.state") return;
      for (const [device, state] of event.p.changes) if (state === "trained") trained.push(device);
    },
    stop: createStopSwitch(),
    clock: () => Date.now(),
    stopwatch: () => performance.now(),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    transport: "in-process",
    federate: federateInProcess(createPool),
  };
  const federation = await options.federate({ ...options, taskId: new Uint8Array(16), store, warn() {} });
  const recorder = createEventRecorder(store, options.runId, options.clock, options.onEvent);
  const run: RunContext = { options, store, federation, recorder };
  startRun(run);
  const { experiment } = federation;
  let progress: Progress = { state: experiment.algorithm.init(experiment.initial), lost: [], committed: 0 };
  let rounds = 0;

  async function attempt(): Promise<SimulatedRound | undefined> {
    trained = [];
    rounds++;
    const before = progress.state.parameters;
    const next = await playRound(run, progress);
    if (typeof next === "string") return undefined;
    progress = next;
    return { round: rounds, trained, before, after: next.state.parameters };
  }

  return {
    experiment,
    attempt,
    async round() {
      const played = await attempt();
      if (played === undefined) throw new Error(`round ${rounds} was abandoned`);
      return played;
    },
    async close() {
      await federation.dispose();
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const STAMP: RunOptions["stamp"] = {
  tool: "bench",
  git: null,
  node: process.version,
  os: process.platform,
  cpu: "",
  cores: 1,
  lockHash: null,
  argv: [],
  startedAt: new Date(0).toISOString(),
};
