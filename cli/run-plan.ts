import { MurmurError } from "../shared/protocol/errors.ts";
import type { Transport } from "../shared/protocol/run-meta.ts";
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
  const folder =
    typeof name === "string" ? findRun(invocation, name) : await latestUnfinished(invocation, "in-process");
  if (folder !== undefined) return planOf(folder);
  throw new MurmurError("run-not-found", "There is no run to resume: none was stopped before its end.");
}

/**
 * Goes on serving a run, reached as the file or the assignments say: how a coordinator is served is no part of the
 * experiment.
 * @param name as the person wrote it; undefined: the last one
 * @throws {MurmurError} config-invalid when anything else than the `serve` section is another
 */
export async function reservedRun(
  invocation: Invocation,
  file: string | undefined,
  name: string | undefined,
): Promise<RunPlan> {
  const { findRun } = await import("./run-folders.ts");
  const folder = name === undefined ? await latestUnfinished(invocation, "sockets") : findRun(invocation, name);
  if (folder === undefined) {
    throw new MurmurError("run-not-found", "There is no served run to resume: none was stopped before its end.");
  }
  return servedAs(invocation, file, await planOf(folder));
}

/** As {@link reservedRun}, for the run that was stopped last; undefined when there is none. */
export async function lastServedRun(invocation: Invocation, file: string | undefined): Promise<RunPlan | undefined> {
  const folder = await latestUnfinished(invocation, "sockets");
  return folder === undefined ? undefined : servedAs(invocation, file, await planOf(folder));
}

async function servedAs(invocation: Invocation, file: string | undefined, plan: RunPlan): Promise<RunPlan> {
  const { join } = await import("node:path");
  const { loadConfiguration } = await import("./configuration.ts");
  const { configHash } = await import("../simulations/experiments/fingerprints.ts");
  const { RUN_FILES } = await import("../simulations/experiments/run-files.ts");
  const recorded = join(plan.folder, RUN_FILES.config);
  const { config } = loadConfiguration(invocation.sources(file ?? invocation.flags.config ?? recorded));
  if (configHash(config) !== configHash(plan.config)) {
    throw new MurmurError("config-invalid", `The run ${plan.runId} was started with another configuration.`, {
      hint: "Only its `serve` section may change. Resume it without the rest, or start a new run.",
    });
  }
  return { ...plan, config };
}

async function latestUnfinished(invocation: Invocation, transport: Transport): Promise<string | undefined> {
  const { readRun, runIds, runsFolder } = await import("./run-folders.ts");
  const { transportOf } = await import("../shared/protocol/run-meta.ts");
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
    .filter(({ meta }) => transportOf(meta) === transport)
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
