import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { MurmurError } from "../shared/protocol/errors.ts";
import { type BenchConfig, parseBenchConfig, quickBench } from "../simulations/experiments/bench/bench-config.ts";
import { benchCells, type Cell } from "../simulations/experiments/bench/bench-grid.ts";
import { type RunConfigDocument, runConfigSchema } from "../simulations/experiments/config.ts";
import { withAbsolutePaths } from "../simulations/experiments/config-paths.ts";
import { configError, configProblems } from "../simulations/experiments/config-problems.ts";
import type { Invocation } from "./invocation.ts";
import { packageRoot } from "./version.ts";
import { originOf, readYamlFile } from "./yaml-file.ts";

/** A benchmark that is to be run, and where. */
export interface BenchPlan {
  readonly bench: BenchConfig;
  readonly cells: readonly Cell[];
  /** Named after the benchmark's contents: the same benchmark is found again. */
  readonly id: string;
  readonly folder: string;
  /** What reproduces it, as it is typed. */
  readonly command: string;
}

/** The benchmark that runs when none is named. */
const DEFAULT_BENCH = "examples/privacy-frontier.yaml";

/** @throws {MurmurError} config-not-found, config-invalid */
export function planBench(invocation: Invocation, file: string | undefined, quick: boolean): BenchPlan {
  const { edge, flags } = invocation;
  const chosen = file ?? flags.config;
  const yaml = readYamlFile(edge.cwd, chosen ?? join(packageRoot(), DEFAULT_BENCH));
  const locate = (path: string): string | undefined => originOf(yaml.origins, path);
  const written = parseBenchConfig(yaml.document, locate);
  const whole = { ...written, base: absolutePaths(written.base, yaml.base) };
  const bench = quick ? quickBench(whole) : whole;
  const id = `bench-${createHash("sha256").update(JSON.stringify(bench)).digest("hex").slice(0, 8)}`;
  const runs = resolve(edge.cwd, flags.out);
  return {
    bench,
    cells: plannedCells(bench, locate),
    id,
    // --out names the folder itself, and its default the folder that runs are in.
    folder: flags.out === "runs" ? join(runs, id) : runs,
    command: ["murmur bench", ...(chosen === undefined ? [] : [quoted(chosen)]), ...(quick ? ["--quick"] : [])].join(
      " ",
    ),
  };
}

/** What is wrong with a cell because the base configuration has it wrong is said of the line where it stands there. */
function plannedCells(bench: BenchConfig, locate: (path: string) => string | undefined): Cell[] {
  try {
    return benchCells(bench);
  } catch (error) {
    if (!(error instanceof MurmurError)) throw error;
    const inBase = configProblems(bench.base).filter(({ path, message }) =>
      error.message.includes(`${path}: ${message}`),
    );
    if (inBase.length === 0) throw error;
    throw configError(
      inBase.map(({ path, message }) => ({ path: `base.${path}`, message })),
      locate,
    );
  }
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Files that the base configuration names are found from the benchmark's own folder. */
function absolutePaths(base: RunConfigDocument, folder: string): RunConfigDocument {
  // What is wrong with it is said of the cell in which it is.
  if (configProblems(base).length > 0) return base;
  const { task, algorithm } = withAbsolutePaths(runConfigSchema.parse(base), (path) => resolve(folder, path));
  return {
    ...base,
    ...(base.task === undefined ? {} : { task: { ...base.task, dataset: task.dataset, model: task.model } }),
    ...(base.algorithm === undefined ? {} : { algorithm }),
  };
}
