import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import Database from "libsql";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import type { ErrorName } from "../../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceMemory } from "../memory.ts";

/** What the devices on one disk keep between rounds: a vector or two for each that has taken part. */
export interface MemoryStore {
  of(device: string): DeviceMemory;
  close(): void;
}

export interface MemoryStoreOptions {
  /** Absent: in a file without a name, which is gone when it is closed. */
  readonly path?: string;
  /** What is said of a file that cannot be read as what it is, and of one that cannot be opened or written. */
  readonly errors: { readonly damaged: ErrorName; readonly unavailable: ErrorName };
}

/** The last, and the one before it, in case the coordinator lost the round that the last is of. */
const KEPT = 2;

/**
 * Opens the store, an SQLite file of its owner's alone, which is made when something is kept for the first time. Whoever
 * opens it holds the lock of the folder that it is in.
 */
export function openMemoryStore({ path, errors }: MemoryStoreOptions): MemoryStore {
  let opened: Database.Database | undefined;

  function reporting<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof Error) || cause instanceof MurmurError) throw cause;
      const code = "code" in cause ? String(cause.code) : "";
      const place = path ?? "A temporary file";
      if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) {
        throw new MurmurError("disk-full", `There is no space left to write ${place}.`, { cause });
      }
      if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
        throw new MurmurError(errors.damaged, `${place} is damaged or not the devices' memory.`, { cause });
      }
      throw new MurmurError(errors.unavailable, `${place} cannot be opened, read or written.`, { cause });
    }
  }

  function open(): Database.Database {
    if (opened !== undefined) return opened;
    if (path !== undefined) makePrivate(path);
    const database = new Database(path ?? "");
    try {
      database.exec("PRAGMA synchronous = FULL");
      if (path !== undefined) database.exec("PRAGMA journal_mode = WAL");
      database.exec(SCHEMA);
    } catch (error) {
      database.close();
      throw error;
    }
    opened = database;
    return database;
  }

  return {
    of(device) {
      return {
        recall: (task, lost) =>
          reporting(() => {
            if (opened === undefined && (path === undefined || !existsSync(path))) return undefined;
            const database = open();
            const forget = database.prepare(`DELETE FROM memories WHERE ${MINE} AND round = ?`);
            for (const round of lost) forget.run(device, task, round);
            const last = database.prepare(`SELECT vector FROM memories WHERE ${MINE} ORDER BY round DESC LIMIT 1`);
            const row = last.get(device, task) as { readonly vector: Uint8Array } | undefined;
            // A copy: a blob's bytes need not be aligned, and belong to the driver.
            return row === undefined ? undefined : new Float32Array(new Uint8Array(row.vector).buffer);
          }),
        keep: (task, round, memory) =>
          reporting(() => {
            const database = open();
            const write = database.transaction(() => {
              database
                .prepare("INSERT INTO memories VALUES (?, ?, ?, ?)")
                .run(device, task, round, parameterBytes(memory));
              const older = `SELECT round FROM memories WHERE ${MINE} ORDER BY round DESC LIMIT -1 OFFSET ${KEPT}`;
              database
                .prepare(`DELETE FROM memories WHERE ${MINE} AND round IN (${older})`)
                .run(device, task, device, task);
            });
            write();
          }),
      };
    },
    close: () => opened?.close(),
  };
}

const MINE = "device = ? AND task = ?";

/** Round ids are big-endian, so their order as bytes is theirs as numbers. */
const SCHEMA = `CREATE TABLE IF NOT EXISTS memories (
  device TEXT NOT NULL,
  task BLOB NOT NULL CHECK (length(task) = 16),
  round BLOB NOT NULL CHECK (length(round) = 16),
  vector BLOB NOT NULL,
  PRIMARY KEY (device, task, round)
)`;

/** The files that SQLite puts beside it have its permissions. */
function makePrivate(path: string): void {
  if (existsSync(path)) return;
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
}
