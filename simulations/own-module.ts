import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { MurmurError } from "../shared/protocol/errors.ts";

/** What a module of one's own stands for; it exports that, by this name. */
export type ModuleRole = "model" | "dataset" | "algorithm";

/** A module as a run's stamp remembers it. */
export interface ModuleRecord {
  readonly role: ModuleRole;
  /** Absolute. */
  readonly path: string;
  /** Of the file, hexadecimal. What it imports is not part of it. */
  readonly sha256: string;
}

/** How a module is named in a configuration: by its path. */
export const MODULE_PATH = /\.m?js$/;

/** @throws {MurmurError} `module-invalid` when the file cannot be read */
export function moduleRecord(role: ModuleRole, path: string): ModuleRecord {
  try {
    return { role, path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason = code === "ENOENT" ? "is not there" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new MurmurError("module-invalid", `The ${role} module ${path} ${reason}.`, {
      cause,
      hint: "A path in a configuration is relative to the configuration's file.",
    });
  }
}

/**
 * What a module exports under the name of its role. A file that has changed is a module of its own: it is never taken from
 * what an earlier import left in memory.
 * @throws {MurmurError} `module-invalid` when the file is not there, cannot be loaded, or has no such export
 */
export async function importModule(role: ModuleRole, path: string): Promise<unknown> {
  const { sha256 } = moduleRecord(role, path);
  const url = `${pathToFileURL(path).href}?sha256=${sha256}`;
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await import(/* @vite-ignore */ url);
  } catch (cause) {
    throw new MurmurError("module-invalid", `The ${role} module ${path} cannot be loaded: ${reasonOf(cause)}`, {
      cause,
      hint: `Try \`node ${path}\`. A module with import or export is called .mjs, or its package.json says "type": "module".`,
    });
  }
  if (exported[role] !== undefined) return exported[role];
  const names = Object.keys(exported);
  throw new MurmurError(
    "module-invalid",
    `The ${role} module ${path} exports no "${role}"; it exports ${names.length === 0 ? "nothing" : names.join(", ")}.`,
    { hint: `Write \`export const ${role} = …\` or \`export function ${role}(…) { … }\`; docs/your-own.md shows one.` },
  );
}

/** Calls something of a module. What it throws becomes an error that says whose it is. */
export async function callModule<T>(role: ModuleRole, path: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof MurmurError) throw cause;
    throw moduleFailed(role, path, "failed", cause);
  }
}

/** For something of a module that has thrown. */
export function moduleFailed(role: ModuleRole, path: string, what: string, cause: unknown): MurmurError {
  return moduleInvalid(role, path, `${what}: ${reasonOf(cause)}`, cause);
}

export function moduleInvalid(role: ModuleRole, path: string, fault: string, cause?: unknown): MurmurError {
  return new MurmurError("module-invalid", `The ${role} of ${path} ${fault}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: `docs/your-own.md says what a ${role} module exports; -v shows where it failed.`,
  });
}

/** An error's message as a sentence's end. */
function reasonOf(cause: unknown): string {
  const [line] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
  return line.endsWith(".") ? line : `${line}.`;
}
