import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { reporting } from "./database.ts";

/** `events.ndjson`: the run's events as text, one JSON document a line, for people and for tools such as `tail -f`. */
export interface EventLog {
  /** Adds documents that the database has already. */
  append(documents: readonly string[]): void;
  close(): void;
}

/**
 * Opens the log and brings it in line with `recorded`, the documents in the database: a line that was torn when the
 * process was killed, and anything after the last line that agrees, is cut off, what is missing is added. The database
 * is the truth and is written first; the log is never synced.
 * @throws {MurmurError} `disk-full`, `store-unavailable`.
 */
export function openEventLog(path: string, recorded: () => Iterable<string>): EventLog {
  const file = reporting(path, () => openSync(path, "a"));
  // False while the file may end in a torn line.
  let inLine = false;

  function append(documents: readonly string[]): void {
    reporting(path, () => {
      if (!inLine) {
        realign(path, file, recorded());
        inLine = true;
        return;
      }
      inLine = false;
      write(file, documents);
      inLine = true;
    });
  }

  try {
    append([]);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return { append, close: () => closeSync(file) };
}

function realign(path: string, file: number, recorded: Iterable<string>): void {
  const present = readFileSync(path);
  let agreed = 0;
  const missing: string[] = [];
  for (const document of recorded) {
    const line = Buffer.from(`${document}\n`);
    const end = agreed + line.length;
    if (missing.length === 0 && end <= present.length && line.equals(present.subarray(agreed, end))) agreed = end;
    else missing.push(document);
  }
  if (agreed < present.length) ftruncateSync(file, agreed);
  write(file, missing);
}

function write(file: number, documents: readonly string[]): void {
  if (documents.length === 0) return;
  const bytes = Buffer.from(`${documents.join("\n")}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}
