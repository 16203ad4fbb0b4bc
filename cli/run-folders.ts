import { existsSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";
import { lockRun } from "../server/store/lock.ts";
import { DATABASE_FILE, openRunReader } from "../server/store/run-reader.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { RunStatus } from "../shared/protocol/events.ts";
import type { RoundRecord } from "../shared/protocol/round-record.ts";
import type { RunMeta } from "../shared/protocol/run-meta.ts";
import { suggest } from "../simulations/suggestions.ts";
import type { Invocation } from "./invocation.ts";

/** A run as its folder tells it. */
export interface StoredRun {
  readonly folder: string;
  readonly meta: RunMeta;
  /** `interrupted` also where the record says running and no process does. */
  readonly status: RunStatus;
  /** Committed and abandoned rounds, ascending. */
  readonly rounds: readonly RoundRecord[];
  /** Releases in the privacy ledger. */
  readonly charged: number;
}

/** The folder that holds the runs, absolute. */
export function runsFolder({ edge, flags }: Pick<Invocation, "edge" | "flags">): string {
  return resolve(edge.cwd, flags.out);
}

/** A folder's path as a person in `cwd` would write it. */
export function shownPath(cwd: string, folder: string): string {
  const path = relative(cwd, folder);
  return path.startsWith("..") || isAbsolute(path) ? folder : path === "" ? "." : path;
}

/** Ids of the runs in a folder, in alphabetical order. */
export function runIds(runs: string): string[] {
  if (!existsSync(runs)) return [];
  return readdirSync(runs)
    .filter((name) => isRunFolder(join(runs, name)))
    .sort();
}

/**
 * The folder of a run, named by its id, the unique beginning of its id, or a path.
 * @throws {MurmurError} run-not-found
 */
export function findRun(invocation: Pick<Invocation, "edge" | "flags">, name: string): string {
  const runs = runsFolder(invocation);
  if (name.includes(sep) || name.includes("/")) {
    const folder = resolve(invocation.edge.cwd, name);
    if (isRunFolder(folder)) return folder;
    throw new MurmurError("run-not-found", `There is no run in ${name}.`);
  }
  const ids = runIds(runs);
  if (ids.includes(name)) return join(runs, name);
  const matching = name === "" ? [] : ids.filter((id) => id.startsWith(name));
  if (matching.length === 1) return join(runs, matching[0]);
  if (matching.length > 1) {
    throw new MurmurError("run-not-found", `"${name}" could be ${matching.join(", ")}.`, {
      hint: "Write more of the id.",
    });
  }
  const near = suggest(name, ids);
  const where = shownPath(invocation.edge.cwd, runs);
  throw new MurmurError(
    "run-not-found",
    `There is no run ${name} in ${where}.`,
    near === undefined ? {} : { hint: `Did you mean ${near}? \`murmur list\` shows the runs there are.` },
  );
}

/**
 * Reads a run, also while it is running.
 * @throws {MurmurError} run-damaged when it never got as far as saying what it is; what the store says of damage.
 */
export function readRun(folder: string): StoredRun {
  const reader = openRunReader(folder);
  try {
    const meta = reader.meta();
    if (meta === undefined) {
      throw new MurmurError("run-damaged", `The run in ${folder} was stopped before it began.`, {
        hint: `Delete it with \`murmur rm ${basename(folder)}\`.`,
      });
    }
    const status = meta.status === "running" && !isInUse(folder) ? "interrupted" : meta.status;
    return { folder, meta, status, rounds: reader.rounds(), charged: reader.ledger().length };
  } finally {
    reader.close();
  }
}

/** Deletes the folder of a run that failed before it began: there is nothing in it that anyone could want. */
export function discardUnborn(folder: string): void {
  if (!isRunFolder(folder)) return;
  const reader = openRunReader(folder);
  const unborn = reader.meta() === undefined;
  reader.close();
  if (unborn) rmSync(folder, { recursive: true, force: true });
}

/** Whether a process, this one or another, is running it. */
export function isInUse(folder: string): boolean {
  try {
    lockRun(folder).release();
    return false;
  } catch (error) {
    if (error instanceof MurmurError && error.name === "run-in-use") return true;
    throw error;
  }
}

/** A folder, not a link to one, that holds a run's database. */
function isRunFolder(folder: string): boolean {
  const entry = lstatSync(folder, { throwIfNoEntry: false });
  return entry?.isDirectory() === true && existsSync(join(folder, DATABASE_FILE));
}
