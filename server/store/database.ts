import Database from "libsql";
import { MurmurError } from "../../shared/protocol/errors.ts";

export type SqliteDatabase = Database.Database;

/** How long to wait for another process that reads or copies the file, milliseconds. */
const BUSY_TIMEOUT = 5000;

/**
 * Opens an SQLite file, creating it if need be; every transaction is synced when it commits. Nothing is written yet.
 * @throws {MurmurError} as {@link storeError}.
 */
export function openDatabase(path: string): SqliteDatabase {
  return reporting(path, () => {
    const database = new Database(path);
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
      database.exec("PRAGMA synchronous = FULL");
      database.exec("PRAGMA foreign_keys = ON");
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  });
}

/** From now on readers and the writer do not wait for each other. Writes to the file: first make sure whose it is. */
export function useWriteAheadLog(database: SqliteDatabase): void {
  database.exec("PRAGMA journal_mode = WAL");
}

/**
 * Closes the database and folds its write-ahead log into the one file, so that the file can be hashed and copied. Where
 * another process reads it, the log stays beside it until that one is done.
 */
export function closeDatabase(database: SqliteDatabase): void {
  try {
    database.exec("PRAGMA busy_timeout = 0");
    database.exec("PRAGMA journal_mode = DELETE");
  } catch (error) {
    // Not folded, and nothing is lost: whoever opens the file next reads the log with it.
    if (!(error instanceof Database.SqliteError)) throw error;
  } finally {
    database.close();
  }
}

/** Runs `work` in one transaction: all of it is kept, and synced, or nothing of it. */
export function transact<T>(database: SqliteDatabase, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after a full disk and some other errors.
    if (database.inTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** As {@link transact}, but a power failure, and nothing less, may cost the last of them. */
export function transactUnsynced<T>(database: SqliteDatabase, work: () => T): T {
  database.exec("PRAGMA synchronous = NORMAL");
  try {
    return transact(database, work);
  } finally {
    database.exec("PRAGMA synchronous = FULL");
  }
}

/** Runs `work` and turns what SQLite and the file system throw into errors that a person can act on. */
export function reporting<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeError(error, path);
  }
}

/** The MurmurError for a failure of the store at `path`; anything else comes back as it is. */
export function storeError(error: unknown, path: string): unknown {
  if (error instanceof MurmurError || !(error instanceof Error)) return error;
  const options = { cause: error };
  switch (failureOf(error)) {
    case "full":
      return new MurmurError("disk-full", `There is no space left to write ${path}.`, options);
    case "locked":
      return new MurmurError("store-locked", `Another process holds ${path} for longer than is usual.`, options);
    case "corrupt":
      return new MurmurError("store-corrupt", `${path} is damaged or not a run's database.`, options);
    case "unavailable":
      return new MurmurError("store-unavailable", `${path} cannot be opened, read or written.`, options);
    case undefined:
      return error;
  }
}

type Failure = "full" | "locked" | "corrupt" | "unavailable";

/** Result codes of SQLite (their extended codes start with the same words) and of the file system. */
const FAILURES: readonly (readonly [code: RegExp, failure: Failure])[] = [
  [/^(SQLITE_FULL|ENOSPC|EDQUOT)/, "full"],
  [/^SQLITE_(BUSY|LOCKED)/, "locked"],
  [/^SQLITE_(CORRUPT|NOTADB)/, "corrupt"],
  [/^SQLITE_(READONLY|CANTOPEN|PERM|IOERR|AUTH)/, "unavailable"],
  [/^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EISDIR|EIO|EMFILE|ENFILE)$/, "unavailable"],
];

function failureOf(error: Error): Failure | undefined {
  if ("code" in error && typeof error.code === "string") {
    const { code } = error;
    return FAILURES.find(([pattern]) => pattern.test(code))?.[1];
  }
  // The driver reports a file that cannot be opened without a code.
  return error.message.startsWith("ConnectionFailed") ? "unavailable" : undefined;
}
