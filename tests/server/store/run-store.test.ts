import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase, storeError, transact } from "../../../server/store/database.ts";
import { openRunReader } from "../../../server/store/run-reader.ts";
import { openRunStore, type RunStore, type RunStoreOptions } from "../../../server/store/run-store.ts";
import { MIGRATIONS, migrate } from "../../../server/store/schema.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { commitOf, hashOf, logEvent, meta, modelOf, recordOf } from "./run-fixtures.ts";

let folder: string;
const opened: { close(): void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "murmur-store-"));
});

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(folder, { recursive: true });
});

function open(mode: RunStoreOptions["mode"] = "create", at = folder): RunStore {
  const store = openRunStore(at, { mode });
  opened.push(store);
  return store;
}

function reopen(store: RunStore): RunStore {
  store.close();
  return open("resume");
}

function nameOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MurmurError) {
      expect(error.hint.length).toBeGreaterThan(10);
      return error.name;
    }
    throw error;
  }
  return "no error";
}

function logLines(): unknown[] {
  const text = readFileSync(join(folder, "events.ndjson"), "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

describe("a run's store", () => {
  it("keeps what is known of the run, the last version of it", () => {
    let store = open();
    expect(store.meta()).toBeUndefined();
    store.putMeta(meta);
    store.putMeta({ ...meta, status: "done", endedAt: 5 });
    store = reopen(store);
    expect(store.meta()).toEqual({ ...meta, status: "done", endedAt: 5 });
  });

  it("gives every round's number out once, also after a restart", () => {
    let store = open();
    expect([store.spendRound(), store.spendRound()]).toEqual([1, 2]);
    store = reopen(store);
    expect(store.closeInterrupted()).toEqual([1, 2]);
    expect(store.closeInterrupted()).toEqual([]);
    expect(store.spendRound()).toBe(3);
    expect(store.spentRounds()).toEqual([
      { round: 1, outcome: "abandoned", reason: "interrupted" },
      { round: 2, outcome: "abandoned", reason: "interrupted" },
      { round: 3, outcome: "open" },
    ]);
    expect(store.rounds()).toEqual([]);
  });

  it("keeps a committed round's model, state and record to the bit, and two checkpoints", () => {
    let store = open();
    expect(store.latestCheckpoint()).toBeUndefined();
    for (let round = 1; round <= 4; round++) store.commitRound(commitOf(store.spendRound(), []));
    store = reopen(store);
    expect(store.latestCheckpoint()).toEqual({
      round: 4,
      parameters: modelOf(4),
      state: Uint8Array.of(4),
      hash: hashOf(modelOf(4)),
    });
    expect(store.rounds()).toEqual([1, 2, 3, 4].map((round) => recordOf(round)));
    store.close();
    const database = new Database(join(folder, "run.db"));
    opened.push(database);
    expect(database.prepare("SELECT count(*) AS kept FROM checkpoints").get()).toMatchObject({ kept: 2 });
  });

  it("keeps a model that lies in the middle of a buffer, NaN, infinities and −0 included", () => {
    const store = open();
    const values = Float32Array.of(7, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 7).subarray(1, 5);
    const round = store.spendRound();
    store.commitRound({
      ...commitOf(round, []),
      parameters: values,
      record: { ...recordOf(round), modelHash: hashOf(values) },
    });
    expect(store.latestCheckpoint()?.parameters).toEqual(values.slice());
  });

  it("records an abandoned round with its reason, and leaves the model alone", () => {
    const store = open();
    store.commitRound(commitOf(store.spendRound(), []));
    store.abandonRound({ round: store.spendRound(), record: recordOf(2, "abandoned"), events: [logEvent(1, "x")] });
    expect(store.spentRounds()[1]).toEqual({ round: 2, outcome: "abandoned", reason: "below-quorum" });
    expect(store.latestCheckpoint()?.round).toBe(1);
    expect(store.rounds()[1]).toEqual(recordOf(2, "abandoned"));
    expect(store.events()).toHaveLength(1);
  });

  it("closes a round once, and none that was not spent", () => {
    const store = open();
    expect(() => store.commitRound(commitOf(1, []))).toThrow(/not open/);
    store.commitRound(commitOf(store.spendRound(), []));
    expect(() => store.commitRound(commitOf(1, []))).toThrow(/not open/);
    expect(() => store.abandonRound({ round: 1, record: recordOf(1, "abandoned"), events: [] })).toThrow(/not open/);
    expect(() => store.commitRound({ ...commitOf(store.spendRound(), []), record: recordOf(1) })).toThrow(/record/);
    expect(() => store.commitRound({ ...commitOf(2, []), parameters: modelOf(9) })).toThrow(/hash/);
    expect(() => store.abandonRound({ round: 2, record: recordOf(2), events: [] })).toThrow(/without a reason/);
  });

  it("keeps a round whole or not at all", () => {
    const store = open();
    store.appendEvents([logEvent(1, "before")]);
    const round = store.spendRound();
    // The last of its events does not fit: nothing of the round may stay.
    expect(() => store.commitRound(commitOf(round, [logEvent(2, "a"), logEvent(4, "b")]))).toThrow(/where 3 is due/);
    expect(store.latestCheckpoint()).toBeUndefined();
    expect(store.rounds()).toEqual([]);
    expect(store.events()).toEqual([logEvent(1, "before")]);
    expect(logLines()).toEqual([logEvent(1, "before")]);
    store.commitRound(commitOf(round, [logEvent(2, "a")]));
    expect(store.nextSequence()).toBe(3);
  });

  it("counts an upload once", () => {
    const store = open();
    const round = store.spendRound();
    store.markUploadsUsed(round, ["a", "b"]);
    expect(() => store.markUploadsUsed(round, ["c", "b"])).toThrow(/device b .* used already/);
    // The refusal took nothing with it.
    store.markUploadsUsed(round, ["c"]);
    expect(() => store.markUploadsUsed(round + 1, ["a"])).toThrow(/not open/);
    store.markUploadsUsed(store.spendRound(), ["a"]);
    store.commitRound(commitOf(round, []));
    expect(() => store.markUploadsUsed(round, ["d"])).toThrow(/not open/);
  });
});

describe("the event stream", () => {
  it("is kept in order, without gaps, and can be read from where one left off", () => {
    let store = open();
    expect(store.nextSequence()).toBe(1);
    store.appendEvents([]);
    store.appendEvents([logEvent(1, "one\ntwo"), logEvent(2, "drei ü ☃")]);
    expect(() => store.appendEvents([logEvent(4, "gap")])).toThrow(/where 3 is due/);
    expect(() => store.appendEvents([logEvent(2, "again")])).toThrow(/where 3 is due/);
    store = reopen(store);
    store.appendEvents([logEvent(store.nextSequence(), "three")]);
    expect(store.events(1).map(({ seq }) => seq)).toEqual([2, 3]);
    expect(store.events()).toEqual([logEvent(1, "one\ntwo"), logEvent(2, "drei ü ☃"), logEvent(3, "three")]);
    expect(logLines()).toEqual(store.events());
  });

  const damages: [string, (path: string) => void][] = [
    ["a torn last line", (path) => truncateSync(path, readFileSync(path).length - 7)],
    ["a last line without its end", (path) => truncateSync(path, readFileSync(path).length - 1)],
    ["a character cut in half", (path) => truncateSync(path, readFileSync(path).indexOf("☃") + 1)],
    ["lines that were never committed", (path) => appendFileSync(path, `${JSON.stringify(logEvent(6, "ghost"))}\n`)],
    ["rubbish at its end", (path) => appendFileSync(path, "\0\0\0\0")],
    ["another run's lines", (path) => writeFileSync(path, `${JSON.stringify(logEvent(1, "other"))}\n`)],
    ["no file", (path) => rmSync(path)],
  ];
  it.each(damages)("brings events.ndjson back in line with the database: %s", (_, damage) => {
    const store = open();
    const events = [1, 2, 3, 4, 5].map((seq) => logEvent(seq, `☃ ${seq}`));
    store.appendEvents(events);
    store.close();
    damage(join(folder, "events.ndjson"));
    const again = open("resume");
    expect(logLines()).toEqual(events);
    again.appendEvents([logEvent(6, "six")]);
    expect(logLines()).toEqual([...events, logEvent(6, "six")]);
  });

  it("survives more events than are read at a time", () => {
    const store = open();
    store.appendEvents(Array.from({ length: 2500 }, (_, i) => logEvent(i + 1, "x")));
    store.close();
    rmSync(join(folder, "events.ndjson"));
    open("resume");
    expect(logLines()).toHaveLength(2500);
  });
});

describe("opening", () => {
  it("lets one in, and names the reason to the other", () => {
    const store = open();
    expect(nameOf(() => open("resume"))).toBe("run-in-use");
    expect(nameOf(() => open("create"))).toBe("run-in-use");
    // The refused attempts have not let go of the first one's lock.
    expect(nameOf(() => open("resume"))).toBe("run-in-use");
    store.putMeta(meta);
    store.close();
    open("resume");
  });

  it("creates only where there is no run, resumes only where there is one", () => {
    const inner = join(folder, "a", "b");
    expect(nameOf(() => open("resume", inner))).toBe("run-not-found");
    expect(existsSync(inner)).toBe(false);
    const store = open("create", inner);
    store.close();
    // Killed before it wrote anything about itself: that is no run yet.
    const second = open("create", inner);
    second.putMeta(meta);
    second.close();
    expect(nameOf(() => open("create", inner))).toBe("run-exists");
    expect(open("resume", inner).meta()).toEqual(meta);
  });

  it("lets others read while it writes, and they write nothing", () => {
    const store = open();
    store.putMeta(meta);
    store.commitRound(commitOf(store.spendRound(), [logEvent(1, "x")]));
    const reader = openRunReader(folder);
    opened.push(reader);
    expect(reader.meta()).toEqual(meta);
    expect(reader.latestCheckpoint()?.round).toBe(1);
    store.commitRound(commitOf(store.spendRound(), []));
    expect(reader.rounds()).toHaveLength(2);
    expect(nameOf(() => openRunReader(join(folder, "none")))).toBe("run-not-found");
  });

  it("after closing leaves one database file, no journal beside it", () => {
    const store = open();
    store.putMeta(meta);
    store.commitRound(commitOf(store.spendRound(), []));
    store.close();
    expect(existsSync(join(folder, "run.db-wal"))).toBe(false);
  });

  it("refuses a database that a later version wrote, and leaves it as it is", () => {
    open().close();
    const path = join(folder, "run.db");
    const database = new Database(path);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    database.close();
    const before = readFileSync(path);
    expect(nameOf(() => open("resume"))).toBe("store-newer");
    expect(nameOf(() => openRunReader(folder))).toBe("store-newer");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("refuses a file that is no database, another program's database, and a damaged one", () => {
    const path = join(folder, "run.db");
    writeFileSync(path, "certainly not a database ".repeat(100));
    expect(nameOf(() => open("resume"))).toBe("store-corrupt");
    rmSync(path);
    const foreign = new Database(path);
    foreign.exec("CREATE TABLE music (title TEXT)");
    foreign.close();
    expect(nameOf(() => open("create"))).toBe("store-corrupt");
    rmSync(path);
    const store = open();
    for (let i = 0; i < 3; i++) store.commitRound(commitOf(store.spendRound(), []));
    store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4096, 3 * 4096);
    writeFileSync(path, bytes);
    expect(nameOf(() => open("resume"))).toBe("store-corrupt");
  });

  it("refuses a checkpoint whose bytes are not those that were stored", () => {
    const store = open();
    store.commitRound(commitOf(store.spendRound(), []));
    store.close();
    const database = new Database(join(folder, "run.db"));
    database.prepare("UPDATE checkpoints SET state = ?").run([Uint8Array.of(9)]);
    database.close();
    expect(nameOf(() => open("resume").latestCheckpoint())).toBe("store-corrupt");
  });

  it("says so when the folder cannot be used", () => {
    writeFileSync(join(folder, "file"), "");
    expect(nameOf(() => open("create", join(folder, "file", "run")))).toBe("store-unavailable");
  });
});

describe("the schema", () => {
  it("is brought up to date on open, step by step, with what was in it", () => {
    const path = join(folder, "old.db");
    const database = openDatabase(path);
    opened.push(database);
    const first = ["CREATE TABLE meta (document TEXT)"];
    expect(migrate(database, path, first)).toEqual({ from: 0, to: 1 });
    database.exec("INSERT INTO meta VALUES ('kept')");
    const third = [...first, "ALTER TABLE meta ADD COLUMN run TEXT DEFAULT 'a'", "CREATE TABLE ledger (epsilon REAL)"];
    expect(migrate(database, path, third)).toEqual({ from: 1, to: 3 });
    expect(migrate(database, path, third)).toEqual({ from: 3, to: 3 });
    expect(database.prepare("SELECT document, run FROM meta").get()).toMatchObject({ document: "kept", run: "a" });
  });

  it("stays at the last good step when one fails", () => {
    const path = join(folder, "old.db");
    const database = openDatabase(path);
    opened.push(database);
    const steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];
    expect(() => migrate(database, path, steps)).toThrow(/already exists/);
    expect(database.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
    expect(migrate(database, path, [steps[0], "CREATE TABLE b (x)"])).toEqual({ from: 1, to: 2 });
  });
});

describe("failures of the disk and of other processes", () => {
  it("a full disk undoes the transaction, says so, and the store goes on", () => {
    const path = join(folder, "small.db");
    const database = openDatabase(path);
    opened.push(database);
    database.exec("CREATE TABLE blobs (bytes BLOB); PRAGMA max_page_count = 30");
    const insert = (size: number) => database.prepare("INSERT INTO blobs VALUES (?)").run([new Uint8Array(size)]);
    const fail = () => {
      try {
        transact(database, () => {
          insert(10);
          insert(1_000_000);
        });
      } catch (error) {
        throw storeError(error, path);
      }
    };
    expect(nameOf(fail)).toBe("disk-full");
    expect(database.prepare("SELECT count(*) AS count FROM blobs").get()).toMatchObject({ count: 0 });
    transact(database, () => insert(10));
  });

  it("each has a name, and a bug stays a bug", () => {
    const failure = (code: string) => storeError(Object.assign(new Error("x"), { code }), "run.db");
    expect(failure("ENOSPC")).toMatchObject({ name: "disk-full", exitCode: 4 });
    expect(failure("SQLITE_BUSY_SNAPSHOT")).toMatchObject({ name: "store-locked" });
    expect(failure("SQLITE_IOERR_WRITE")).toMatchObject({ name: "store-unavailable" });
    expect(failure("EACCES")).toMatchObject({ name: "store-unavailable" });
    expect(failure("SQLITE_CORRUPT")).toMatchObject({ name: "store-corrupt" });
    const bug = new TypeError("x");
    expect(storeError(bug, "run.db")).toBe(bug);
    expect(failure("SQLITE_CONSTRAINT_UNIQUE")).not.toBeInstanceOf(MurmurError);
  });
});
