import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import { createStopSwitch } from "../../../shared/time/stop-signal.ts";
import { type RunConfig, type RunConfigDocument, runConfigSchema } from "../../../simulations/experiments/config.ts";
import { federateInProcess } from "../../../simulations/experiments/federate-in-process.ts";
import { type RunOptions, runExperiment } from "../../../simulations/experiments/run.ts";
import type { RunResult } from "../../../simulations/experiments/run-result.ts";
import { type Verification, verifyRun } from "../../../simulations/experiments/verify.ts";
import { type CreatePool, createLocalPool } from "../../../simulations/fleet/training/training-pool.ts";

/** Thirty devices, eight invited a round, softmax regression on the synthetic set. */
const SMALL = {
  seed: 42,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 30, dropout: 0.1 },
  round: { count: 3, cohort: 6, overSelection: 1.3, minCohort: 4 },
  secagg: { minHonest: 2 },
} as const;

type Section = "task" | "fleet" | "train" | "algorithm" | "round" | "quantise" | "secagg";

/** The small configuration with these keys changed. */
export function smallConfig(changes: Pick<RunConfigDocument, Section | "seed"> = {}): RunConfig {
  const document: Record<string, unknown> = { ...SMALL };
  for (const [key, value] of Object.entries(changes)) {
    const small = document[key];
    document[key] = typeof value === "object" && typeof small === "object" ? { ...small, ...value } : value;
  }
  return runConfigSchema.parse(document);
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-run-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface PlayedRun {
  readonly result: RunResult;
  readonly events: readonly RunEvent[];
  readonly folder: string;
}

export interface PlayOptions extends Partial<Pick<RunOptions, "resume" | "provider" | "breathe">> {
  readonly folder?: string;
  /** Told where it is played, before it is. */
  readonly onFolder?: (folder: string) => void;
  /** Where devices are trained; in this thread unless it is given. */
  readonly createPool?: CreatePool;
  /** Told of each event; what it returns is asked of the run from then on. */
  readonly onEvent?: (event: RunEvent) => RunOptions["stop"]["request"] | undefined;
}

/** Plays a run under a clock that counts calls, in a folder of its own unless it is given one. */
export async function playRun(config: RunConfig, options: PlayOptions = {}): Promise<PlayedRun> {
  const folder = options.folder ?? join(temporaryFolder(), "run");
  options.onFolder?.(folder);
  const events: RunEvent[] = [];
  const stop = createStopSwitch();
  let now = 1_764_000_000_000;
  const result = await runExperiment({
    config,
    folder,
    runId: "test",
    resume: options.resume ?? false,
    stamp: STAMP,
    provider: options.provider ?? cryptoProvider,
    onEvent(event) {
      events.push(event);
      const request = options.onEvent?.(event);
      if (request !== undefined && request !== "none") stop.ask(request);
    },
    stop,
    clock: () => ++now,
    breathe: options.breathe ?? (async () => {}),
    stopwatch: () => ++now,
    transport: "in-process",
    federate: federateInProcess(options.createPool ?? createLocalPool),
  });
  return { result, events, folder };
}

export function verify(folder: string): Promise<Verification> {
  return verifyRun({
    folder,
    provider: cryptoProvider,
    clock: () => 1_764_000_000_000,
    breathe: async () => {},
    machine: { cpu: STAMP.cpu, node: STAMP.node },
  });
}

export const STAMP = {
  tool: "0.0.0",
  git: null,
  node: "v0",
  os: "none",
  cpu: "none",
  cores: 1,
  lockHash: null,
  argv: [],
  startedAt: "2026-01-01T00:00:00.000Z",
};
