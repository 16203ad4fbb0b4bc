import { join } from "node:path";
import Database from "libsql";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { storeError } from "./database.ts";

export interface RunLock {
  release(): void;
}

/** The file whose lock is held; it stays empty. */
export const LOCK_FILE = "run.lock";

/**
 * Makes this process the only one that writes in a run's folder, until it releases the lock or ends in any way.
 *
 * The lock is SQLite's exclusive lock on an empty database, which is the operating system's lock on a file: it is gone
 * when its process is, kill -9 included, so there is no stale lock to clean up. Nothing else in this process may open
 * the file: on POSIX, closing any descriptor of it would let the lock go.
 * @throws {MurmurError} `run-in-use` when it is held, here or in another process.
 */
export function lockRun(folder: string): RunLock {
  const path = join(folder, LOCK_FILE);
  let database: Database.Database | undefined;
  try {
    database = new Database(path);
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    const reason = storeError(error, path);
    if (reason instanceof MurmurError && reason.name === "store-locked") {
      throw new MurmurError("run-in-use", `Another process holds the run in ${folder}.`, { cause: error });
    }
    throw reason;
  }
  const held = database;
  return { release: () => void held.close() };
}
