import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ParameterVector, parameterBytes } from "../../shared/learning/parameters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import type { LedgerEntry } from "../../shared/protocol/ledger-entry.ts";
import type { AbandonReason } from "../../shared/protocol/reasons.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import type { RunMeta } from "../../shared/protocol/run-meta.ts";
import {
  closeDatabase,
  openDatabase,
  reporting,
  type SqliteDatabase,
  transact,
  transactUnsynced,
  useWriteAheadLog,
} from "./database.ts";
import { type EnrolmentStore, enrolmentStore } from "./enrolment-store.ts";
import { type EventLog, openEventLog } from "./event-log.ts";
import { lockRun } from "./lock.ts";
import { DATABASE_FILE, type RunReader, requireDatabase, runReader, sha256 } from "./run-reader.ts";
import { migrate, schemaVersion } from "./schema.ts";

/**
 * A run's durable memory, in its folder: `run.db` is the truth, `events.ndjson` a copy of its events as text. Every
 * method but {@link appendEvents} is one transaction, on disk when it returns.
 */
export interface RunStore extends RunReader {
  putMeta(meta: RunMeta): void;
  /** The number of a new round, 1 or greater, never given out before, in this process or an earlier one. */
  spendRound(): number;
  /** Marks every round that was open when an earlier process ended as abandoned, `interrupted`; returns their numbers. */
  closeInterrupted(): number[];
  /** Parameters, algorithm state, record and events of a round that was spent, together or not at all. */
  commitRound(commit: RoundCommit): void;
  abandonRound(abandonment: RoundAbandonment): void;
  /** Kept in order, but not synced: a power failure may cost the last of them. */
  appendEvents(events: readonly RunEvent[]): void;
  /** What the next event's `seq` must be. */
  nextSequence(): number;
  /**
   * Notes that the uploads of these devices go into the round's sum, which nothing may do twice.
   * @throws {Error} when one is noted already, or the round is not open; then none is noted.
   */
  markUploadsUsed(round: number, devices: readonly string[]): void;
  /**
   * Enters a release of an open round in the privacy ledger, before its sum can be opened. There is no way to take it
   * out again.
   * @throws {Error} when the round is not open, or has been charged already
   */
  charge(entry: LedgerEntry): void;
  /** Who may take part. */
  readonly enrolment: EnrolmentStore;
  /** Also lets another process open the run. */
  close(): void;
}

export interface RoundCommit {
  readonly round: number;
  /** `outcome: "committed"`, with the hash of `parameters`. */
  readonly record: RoundRecord;
  readonly parameters: ParameterVector;
  /** The algorithm's encoded state. */
  readonly state: Uint8Array;
  readonly events: readonly RunEvent[];
}

export interface RoundAbandonment {
  readonly round: number;
  /** `outcome: "abandoned"`, with a reason. */
  readonly record: RoundRecord;
  readonly events: readonly RunEvent[];
}

export interface RunStoreOptions {
  /** `create` a run in a folder that holds none (the folder is made if need be), or `resume` the one it holds. */
  readonly mode: "create" | "resume";
}

export const EVENT_LOG_FILE = "events.ndjson";

/** Older checkpoints are deleted. The last but one is there for whoever wants to look at what a round did. */
const CHECKPOINTS_KEPT = 2;

/**
 * Opens a run's folder for the one process that may write in it.
 * @throws {MurmurError} `run-in-use`, `run-exists`, `run-not-found`, `store-newer`, `store-corrupt`,
 * `store-unavailable`, `disk-full`.
 */
export function openRunStore(folder: string, { mode }: RunStoreOptions): RunStore {
  if (mode === "create") reporting(folder, () => mkdirSync(folder, { recursive: true }));
  else requireDatabase(folder);

  const path = join(folder, DATABASE_FILE);
  const opened: (() => void)[] = [];
  const closeAll = (): void => {
    for (const close of opened.splice(0).reverse()) close();
  };
  try {
    const lock = lockRun(folder);
    opened.push(() => lock.release());
    const database = openDatabase(path);
    opened.push(() => closeDatabase(database));
    reporting(path, () => {
      requireIntact(database, path);
      schemaVersion(database, path);
      useWriteAheadLog(database);
      migrate(database, path);
    });
    const reader = runReader(database, path);
    if (mode === "create" && reader.meta() !== undefined) {
      throw new MurmurError("run-exists", `The folder ${folder} already holds a run.`);
    }
    const log = openEventLog(join(folder, EVENT_LOG_FILE), () => eventDocuments(database));
    opened.push(() => log.close());
    return runStore(database, path, reader, log, closeAll);
  } catch (error) {
    closeAll();
    throw error;
  }
}

function runStore(
  database: SqliteDatabase,
  path: string,
  reader: RunReader,
  log: EventLog,
  closeAll: () => void,
): RunStore {
  function run(sql: string, ...values: readonly unknown[]): number {
    return database.prepare(sql).run(...values).changes;
  }

  function transaction<T>(work: () => T): T {
    return reporting(path, () => transact(database, work));
  }

  function nextSequence(): number {
    const row = database.prepare("SELECT coalesce(max(seq), 0) + 1 AS next FROM events").get() as { next: number };
    return row.next;
  }

  function insertEvents(events: readonly RunEvent[]): string[] {
    const insert = database.prepare("INSERT INTO events (seq, document) VALUES (?, ?)");
    let expected = nextSequence();
    return events.map((event) => {
      if (event.seq !== expected) throw new Error(`event ${event.seq} comes where ${expected} is due`);
      expected += 1;
      const document = JSON.stringify(event);
      insert.run(event.seq, document);
      return document;
    });
  }

  function requireOpen(round: number): void {
    const state = database.prepare("SELECT outcome FROM rounds WHERE round = ?").get(round) as
      | { outcome: string }
      | undefined;
    if (state?.outcome !== "open") throw new Error(`round ${round} is not open`);
  }

  /** Every round is closed once: by its commit, its abandonment, or on resume. */
  function closeRound(round: number, record: RoundRecord): void {
    if (record.round !== round) throw new Error(`the record of round ${record.round} is not that of round ${round}`);
    const changes = run(
      "UPDATE rounds SET outcome = ?, reason = ?, record = ? WHERE round = ? AND outcome = 'open'",
      record.outcome,
      record.reason ?? null,
      JSON.stringify(record),
      round,
    );
    if (changes !== 1) throw new Error(`round ${round} is not open`);
  }

  function insertCheckpoint(round: number, parameters: ParameterVector, hash: string, state: Uint8Array): void {
    run(
      "INSERT INTO checkpoints (round, parameters, parameters_sha256, state, state_sha256) VALUES (?, ?, ?, ?, ?)",
      round,
      parameterBytes(parameters),
      hash,
      state,
      sha256(state),
    );
    run(
      "DELETE FROM checkpoints WHERE round NOT IN (SELECT round FROM checkpoints ORDER BY round DESC LIMIT ?)",
      CHECKPOINTS_KEPT,
    );
  }

  return {
    ...reader,
    putMeta(meta) {
      const upsert = "INSERT INTO meta VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document";
      transaction(() => run(upsert, JSON.stringify(meta)));
    },
    spendRound() {
      return transaction(() => {
        const sql = "SELECT coalesce(max(round), 0) + 1 AS next FROM rounds";
        const { next } = database.prepare(sql).get() as { next: number };
        run("INSERT INTO rounds (round, outcome) VALUES (?, 'open')", next);
        return next;
      });
    },
    closeInterrupted() {
      const reason: AbandonReason = "interrupted";
      return transaction(() => {
        const sql = "SELECT round FROM rounds WHERE outcome = 'open' ORDER BY round";
        const open = database.prepare(sql).all() as { round: number }[];
        run("UPDATE rounds SET outcome = 'abandoned', reason = ? WHERE outcome = 'open'", reason);
        return open.map((row) => row.round);
      });
    },
    commitRound({ round, record, parameters, state, events }) {
      const hash = sha256(parameterBytes(parameters));
      if (record.outcome !== "committed") throw new Error(`round ${round} is recorded as ${record.outcome}`);
      if (record.modelHash !== hash) throw new Error(`round ${round} is recorded with another model's hash`);
      const documents = transaction(() => {
        closeRound(round, record);
        insertCheckpoint(round, parameters, hash, state);
        return insertEvents(events);
      });
      log.append(documents);
    },
    abandonRound({ round, record, events }) {
      if (record.outcome !== "abandoned" || record.reason === undefined) {
        throw new Error(`round ${round} is abandoned without a reason`);
      }
      const documents = transaction(() => {
        closeRound(round, record);
        return insertEvents(events);
      });
      log.append(documents);
    },
    appendEvents(events) {
      if (events.length === 0) return;
      // Events alone are not worth a sync each; the next round's transaction takes them along.
      const documents = reporting(path, () => transactUnsynced(database, () => insertEvents(events)));
      log.append(documents);
    },
    nextSequence: () => reporting(path, nextSequence),
    markUploadsUsed(round, devices) {
      transaction(() => {
        requireOpen(round);
        for (const device of devices) {
          if (run("INSERT OR IGNORE INTO used_uploads (round, device) VALUES (?, ?)", round, device) !== 1) {
            throw new Error(`the upload of device ${device} in round ${round} has been used already`);
          }
        }
      });
    },
    charge(entry) {
      const { round } = entry;
      transaction(() => {
        requireOpen(round);
        const changes = run(
          "INSERT OR IGNORE INTO privacy_ledger (round, document) VALUES (?, ?)",
          round,
          JSON.stringify(entry),
        );
        if (changes !== 1) throw new Error(`round ${round} has been charged already`);
      });
    },
    enrolment: enrolmentStore(database, path),
    close: closeAll,
  };
}

/** Finds damage before anything is built on it, rather than in the middle of the run. */
function requireIntact(database: SqliteDatabase, path: string): void {
  const rows = database.prepare("PRAGMA quick_check").all() as { quick_check: string }[];
  if (rows[0]?.quick_check !== "ok")
    throw new MurmurError("store-corrupt", `${path} is damaged: ${rows[0]?.quick_check}.`);
}

/** Every event as it was written, in order, a page at a time. */
function* eventDocuments(database: SqliteDatabase): Generator<string> {
  const page = database.prepare("SELECT seq, document FROM events WHERE seq > ? ORDER BY seq LIMIT 1000");
  for (let last = 0; ; ) {
    const rows = page.all(last) as { seq: number; document: string }[];
    for (const { seq, document } of rows) {
      yield document;
      last = seq;
    }
    if (rows.length === 0) return;
  }
}
