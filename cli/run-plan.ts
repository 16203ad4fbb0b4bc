import { MurmurError } from "../shared/protocol/errors.ts";
import type { RunConfig } from "../simulations/experiments/config.ts";
import type { Invocation } from "./invocation.ts";
import type { RunProgress } from "./views/run-progress.ts";

/** What is to be run, in which folder. */
export interface RunPlan {
  readonly config: RunConfig;
  readonly runId: string;
  readonly folder: string;
  readonly resume: boolean;
  /** What an earlier process got done. */
  readonly before: RunProgress;
}

export async function newRun(invocation: Invocation, file: string | undefined): Promise<RunPlan> {
  const { existsSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { loadConfiguration } = await import("./configuration.ts");
  const { runsFolder } = await import("./run-folders.ts");
  const { cryptoProvider } = await import("../shared/crypto/node-provider.ts");
  const { toHex } = await import("../shared/crypto/bytes.ts");
  const { emptyProgress } = await import("./views/run-progress.ts");
  const { config } = loadConfiguration(invocation.sources(file));
  const runs = runsFolder(invocation);
  const fresh = (bytes: number): string => {
    const id = toHex(cryptoProvider.random.bytes(bytes));
    return existsSync(join(runs, id)) ? fresh(bytes + 1) : id;
  };
  const runId = fresh(2);
  return { config, runId, folder: join(runs, runId), resume: false, before: emptyProgress(runId) };
}

export async function resumedRun(invocation: Invocation, file: string | undefined, name: unknown): Promise<RunPlan> {
  if (file !== undefined || invocation.sources().file !== undefined || invocation.sources().assignments.length > 0) {
    throw new MurmurError("usage", "A run is resumed with the configuration that it was started with.", {
      hint: "Leave the configuration, --set and --seed out (and MURMUR_CONFIG, MURMUR_SET, MURMUR_SEED).",
    });
  }
  const { findRun } = await import("./run-folders.ts");
  const folder = typeof name === "string" ? findRun(invocation, name) : await latestUnfinished(invocation);
  if (folder !== undefined) return planOf(folder);
  throw new MurmurError("run-not-found", "There is no run to resume: none was stopped before its end.");
}

/** The run that was stopped last and can go on; undefined when there is none. */
export async function unfinishedRun(invocation: Invocation): Promise<RunPlan | undefined> {
  const folder = await latestUnfinished(invocation);
  return folder === undefined ? undefined : planOf(folder);
}

async function latestUnfinished(invocation: Invocation): Promise<string | undefined> {
  const { readRun, runIds, runsFolder } = await import("./run-folders.ts");
  const { join } = await import("node:path");
  const runs = runsFolder(invocation);
  const stopped = runIds(runs)
    .flatMap((id) => {
      try {
        return [readRun(join(runs, id))];
      } catch (error) {
        // One that never got as far as saying what it is cannot go on.
        if (error instanceof MurmurError && error.name === "run-damaged") return [];
        throw error;
      }
    })
    .filter(({ status }) => status === "interrupted" || status === "failed")
    .sort((a, b) => b.meta.startedAt - a.meta.startedAt);
  return stopped[0]?.folder;
}

async function planOf(folder: string): Promise<RunPlan> {
  const { readRun } = await import("./run-folders.ts");
  const { runConfigSchema } = await import("../simulations/experiments/config.ts");
  const { openRunReader } = await import("../server/store/run-reader.ts");
  const { advance, emptyProgress } = await import("./views/run-progress.ts");
  const { meta } = readRun(folder);
  const reader = openRunReader(folder);
  const before = reader.events().reduce(advance, emptyProgress(meta.run));
  reader.close();
  return { config: runConfigSchema.parse(meta.config), runId: meta.run, folder, resume: true, before };
}
