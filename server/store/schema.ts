import { MurmurError } from "../../shared/protocol/errors.ts";
import { type SqliteDatabase, transact } from "./database.ts";

/** SQL that takes the schema from version i to version i + 1. Append; what has been released is never changed. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     document TEXT NOT NULL
   );
   -- A row is written before a round's first message leaves: a number is spent whatever happens then.
   CREATE TABLE rounds (
     round INTEGER PRIMARY KEY CHECK (round > 0),
     outcome TEXT NOT NULL CHECK (outcome IN ('open', 'committed', 'abandoned')),
     reason TEXT,
     record TEXT
   );
   CREATE TABLE checkpoints (
     round INTEGER PRIMARY KEY REFERENCES rounds (round),
     parameters BLOB NOT NULL,
     parameters_sha256 TEXT NOT NULL,
     state BLOB NOT NULL,
     state_sha256 TEXT NOT NULL
   );
   CREATE TABLE events (
     seq INTEGER PRIMARY KEY CHECK (seq > 0),
     document TEXT NOT NULL
   );
   CREATE TABLE used_uploads (
     round INTEGER NOT NULL REFERENCES rounds (round),
     device TEXT NOT NULL,
     PRIMARY KEY (round, device)
   ) WITHOUT ROWID;`,
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     scope TEXT NOT NULL CHECK (scope IN ('enrol', 'operate')),
     -- Of the token's whole text, which is written nowhere.
     secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
     uses_left INTEGER NOT NULL CHECK (uses_left BETWEEN 0 AND uses),
     uses INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     revoked_at INTEGER
   ) WITHOUT ROWID;
   CREATE TABLE devices (
     public_key TEXT PRIMARY KEY CHECK (length(public_key) = 64),
     certificate BLOB,
     token_id TEXT NOT NULL REFERENCES tokens (id),
     enrolled_at INTEGER NOT NULL,
     revoked_at INTEGER,
     last_name TEXT
   ) WITHOUT ROWID;`,
  `-- One row for each sum that was about to be opened under differential privacy. Rows are added, and never changed.
   CREATE TABLE privacy_ledger (
     entry INTEGER PRIMARY KEY CHECK (entry > 0),
     round INTEGER NOT NULL UNIQUE REFERENCES rounds (round),
     document TEXT NOT NULL
   );`,
];

/** Marks the file as a run's database ("Murm"), so that no other SQLite file is taken for one. */
const APPLICATION_ID = 0x4d75726d;

/**
 * Brings a database to the schema that this program writes, one transaction a step. A new file gets all steps.
 * @throws {MurmurError} `store-newer` when a later version wrote it, `store-corrupt` when it is no run's database.
 */
export function migrate(
  database: SqliteDatabase,
  path: string,
  migrations: readonly string[] = MIGRATIONS,
): { readonly from: number; readonly to: number } {
  const from = schemaVersion(database, path, migrations.length);
  for (let version = from; version < migrations.length; version++) {
    transact(database, () => {
      database.exec(migrations[version]);
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      database.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
  return { from, to: migrations.length };
}

/**
 * The schema that the file has, 0 for a new one. Writes nothing.
 * @throws {MurmurError} as {@link migrate}.
 */
export function schemaVersion(database: SqliteDatabase, path: string, known: number = MIGRATIONS.length): number {
  const version = readPragma(database, "user_version");
  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
  if (version === 0 && tables.count === 0) return 0;
  if (version === 0 || readPragma(database, "application_id") !== APPLICATION_ID) {
    throw new MurmurError("store-corrupt", `${path} is a database, but not a run's.`);
  }
  if (version > known) {
    throw new MurmurError(
      "store-newer",
      `${path} has schema version ${version}; this version of the program knows up to ${known}.`,
    );
  }
  return version;
}

function readPragma(database: SqliteDatabase, name: "user_version" | "application_id"): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Readonly<Record<typeof name, number>>;
  return row[name];
}
