import {
  chmodSync,
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** A file of records, one a line, that only grows. Readable by its owner only. */
export interface RecordFile<T> {
  /** What it held when it was opened, in order. */
  readonly records: readonly T[];
  /** Durable, all of them, when it returns; none of them is in the file when it throws. */
  append(lines: readonly string[]): void;
  close(): void;
}

export interface RecordFormat<T> {
  /** Throws when the line is no record. */
  parse(line: string): T;
  /** What a whole line that is no record ends with. The line may hold a secret, so it is told where, not what. */
  damaged(lineNumber: number): Error;
}

const NEWLINE = 0x0a;

/**
 * Opens the file for appending. A last line that the end of an earlier process tore is cut off: its `append` never
 * returned, so nothing rests on it.
 * @throws what `format.damaged` makes, for a whole line that does not parse; the errors of the file system.
 */
export function openRecordFile<T>(path: string, format: RecordFormat<T>): RecordFile<T> {
  const isNew = !existsSync(path);
  const { records, wholeBytes, torn } = readLines(path, format);
  if (torn) truncateSync(path, wholeBytes);
  const file = openSync(path, "a", 0o600);
  if (isNew) {
    chmodSync(path, 0o600);
    syncFolder(dirname(path));
  }
  let length = wholeBytes;
  let broken: unknown;

  /** What was written and not synced is in the file or not, nobody knows: nothing is built on it. */
  function sync(): void {
    try {
      fdatasyncSync(file);
    } catch (error) {
      broken = error;
      throw error;
    }
  }

  function takeBack(): void {
    try {
      ftruncateSync(file, length);
    } catch (error) {
      broken ??= error;
    }
  }

  return {
    records,
    append(lines) {
      if (broken !== undefined) throw broken;
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      try {
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
        sync();
      } catch (error) {
        takeBack();
        throw error;
      }
      length += bytes.length;
    },
    close: () => closeSync(file),
  };
}

/** What the file holds, for who only looks. @throws as {@link openRecordFile}. */
export function readRecordFile<T>(path: string, format: RecordFormat<T>): readonly T[] {
  return readLines(path, format).records;
}

function readLines<T>(
  path: string,
  format: RecordFormat<T>,
): { readonly records: readonly T[]; readonly wholeBytes: number; readonly torn: boolean } {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const wholeBytes = bytes.lastIndexOf(NEWLINE) + 1;
  const lines = bytes.toString("utf8", 0, wholeBytes).split("\n").slice(0, -1);
  const records = lines.map((line, i) => {
    try {
      return format.parse(line);
    } catch {
      throw format.damaged(i + 1);
    }
  });
  return { records, wholeBytes, torn: wholeBytes < bytes.length };
}

/** A new file is durable once its folder's entry is. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
