import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import type { LedgerEntry } from "../../shared/protocol/ledger-entry.ts";
import type { AbandonReason } from "../../shared/protocol/reasons.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import type { RunMeta } from "../../shared/protocol/run-meta.ts";
import { openDatabase, reporting, type SqliteDatabase } from "./database.ts";
import { lockRun } from "./lock.ts";
import { MIGRATIONS, migrate, schemaVersion } from "./schema.ts";

export const DATABASE_FILE = "run.db";

/** To SQLite a negative limit is none. */
const NO_LIMIT = -1;

/** A round whose number has been given out, whatever became of it. */
export interface SpentRound {
  readonly round: number;
  readonly outcome: "open" | "committed" | "abandoned";
  readonly reason?: AbandonReason;
}

/** Everything that is needed to go on after a round. */
export interface Checkpoint {
  readonly round: number;
  readonly parameters: Float32Array;
  /** The algorithm's encoded state. */
  readonly state: Uint8Array;
  /** SHA-256 of the parameters' bytes, hexadecimal. */
  readonly hash: string;
}

/** What can be asked of a run's store, by its owner or beside it. */
export interface RunReader {
  /** Undefined before the run's first {@link RunStore.putMeta}. */
  meta(): RunMeta | undefined;
  /** In ascending order. */
  spentRounds(): SpentRound[];
  /** Records of the committed and of the abandoned rounds, ascending. A round that was interrupted left none. */
  rounds(): RoundRecord[];
  /**
   * The last committed round's; undefined before the first.
   * @throws {MurmurError} `store-corrupt` when it does not have the hash that it was stored with.
   */
  latestCheckpoint(): Checkpoint | undefined;
  /** Events after sequence number `since`, ascending, at most `limit`; all without them. */
  events(since?: number, limit?: number): RunEvent[];
  /** What was released under differential privacy, in order; whatever became of the rounds. */
  ledger(): LedgerEntry[];
  /** Lets go of the file. Whatever is asked afterwards throws. */
  close(): void;
}

/**
 * Opens a run's database for reading, also while another process runs the run.
 * @throws {MurmurError} `run-not-found`, `store-newer`, `store-corrupt`, `store-unavailable`.
 */
export function openRunReader(folder: string): RunReader {
  const path = requireDatabase(folder);
  const database = openDatabase(path);
  try {
    reporting(path, () => {
      if (schemaVersion(database, path) !== MIGRATIONS.length) migrateAlone(database, folder, path);
      database.exec("PRAGMA query_only = ON");
    });
  } catch (error) {
    database.close();
    throw error;
  }
  return runReader(database, path);
}

function migrateAlone(database: SqliteDatabase, folder: string, path: string): void {
  const lock = lockRun(folder);
  try {
    migrate(database, path);
  } finally {
    lock.release();
  }
}

/** @throws {MurmurError} `run-not-found` when the folder holds no database. */
export function requireDatabase(folder: string): string {
  const path = join(folder, DATABASE_FILE);
  if (!existsSync(path))
    throw new MurmurError("run-not-found", `There is no run in ${folder}: it has no ${DATABASE_FILE}.`);
  return path;
}

export function runReader(database: SqliteDatabase, path: string): RunReader {
  function all<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    return reporting(path, () => database.prepare(sql).all(...values) as Row[]);
  }

  function first<Row>(sql: string): Row | undefined {
    return reporting(path, () => database.prepare(sql).get() as Row | undefined);
  }

  function parse<T>(document: string): T {
    try {
      return JSON.parse(document) as T;
    } catch (cause) {
      throw new MurmurError("store-corrupt", `${path} holds a document that is no JSON.`, { cause });
    }
  }

  return {
    meta() {
      const row = first<{ document: string }>("SELECT document FROM meta");
      return row === undefined ? undefined : parse<RunMeta>(row.document);
    },
    spentRounds() {
      const rows = all<SpentRound & { reason: AbandonReason | null }>(
        "SELECT round, outcome, reason FROM rounds ORDER BY round",
      );
      return rows.map(({ round, outcome, reason }) => ({ round, outcome, ...(reason === null ? {} : { reason }) }));
    },
    rounds() {
      const rows = all<{ record: string }>("SELECT record FROM rounds WHERE record IS NOT NULL ORDER BY round");
      return rows.map((row) => parse<RoundRecord>(row.record));
    },
    latestCheckpoint() {
      const row = first<CheckpointRow>("SELECT * FROM checkpoints ORDER BY round DESC LIMIT 1");
      return row === undefined ? undefined : verifiedCheckpoint(row, path);
    },
    events(since = 0, limit = NO_LIMIT) {
      const sql = "SELECT document FROM events WHERE seq > ? ORDER BY seq LIMIT ?";
      const rows = all<{ document: string }>(sql, since, limit);
      return rows.map((row) => parse<RunEvent>(row.document));
    },
    ledger() {
      const rows = all<{ document: string }>("SELECT document FROM privacy_ledger ORDER BY entry");
      return rows.map((row) => parse<LedgerEntry>(row.document));
    },
    close() {
      database.close();
    },
  };
}

interface CheckpointRow {
  readonly round: number;
  readonly parameters: Uint8Array;
  readonly parameters_sha256: string;
  readonly state: Uint8Array;
  readonly state_sha256: string;
}

function verifiedCheckpoint(row: CheckpointRow, path: string): Checkpoint {
  if (sha256(row.parameters) !== row.parameters_sha256 || sha256(row.state) !== row.state_sha256) {
    throw new MurmurError("store-corrupt", `The checkpoint of round ${row.round} in ${path} does not have its hash.`);
  }
  // Copies: a blob's bytes need not be aligned, and belong to the driver.
  const parameters = new Float32Array(new Uint8Array(row.parameters).buffer);
  return { round: row.round, parameters, state: new Uint8Array(row.state), hash: row.parameters_sha256 };
}

/** Hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
