import Database from "libsql";
import { MurmurError } from "../../shared/protocol/errors.ts";

export interface FolderLock {
  release(): void;
}

/**
 * Makes this process the only one that runs a folder's devices, until it releases the lock or ends in any way: two
 * processes with the same keys and two memories of their uploads could let one upload leave twice.
 *
 * The lock is SQLite's exclusive lock on an empty database at `path`: the operating system's, so it is gone when its
 * process is, kill -9 included.
 * @throws {MurmurError} `device-data-in-use` when it is held, here or in another process.
 */
export function lockFolder(path: string): FolderLock {
  let database: Database.Database | undefined;
  try {
    database = new Database(path);
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
      throw new MurmurError("device-data-in-use", `Another process runs the devices of ${path}.`, { cause });
    }
    throw new MurmurError("environment", `${path} cannot be opened and locked.`, { hint: FOLDER_HINT, cause });
  }
  const held = database;
  return { release: () => void held.close() };
}

const FOLDER_HINT = "Check that the --data folder can be written and its disk has space, or choose another.";
