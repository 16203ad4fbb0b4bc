import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import type { UploadEntry } from "../../client/journal.ts";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";

/** An upload that left one of the fleet's devices. */
export interface FleetUpload extends UploadEntry {
  readonly device: DeviceId;
}

/** The devices' memory of their uploads, in one file: a simulated fleet shares a disk. */
export interface FleetJournal {
  /** What was recorded by earlier processes of this run. */
  readonly uploads: readonly FleetUpload[];
  /** Durable when it returns. */
  record(upload: FleetUpload): void;
  close(): void;
}

interface Line {
  readonly device: string;
  readonly task: string;
  readonly round: string;
  readonly model: string;
  readonly at: number;
}

/** Its file in the run's folder. */
export const FLEET_JOURNAL_FILE = "fleet-journal.ndjson";

/**
 * Opens the journal for appending. A line torn by the end of an earlier process is of an upload that never left.
 * @throws {MurmurError} `store-corrupt` when a whole line does not parse: forgetting it could let an upload leave twice.
 */
export function openFleetJournal(path: string): FleetJournal {
  const { uploads, wholeBytes, torn } = readLines(path);
  if (torn) truncateSync(path, wholeBytes);
  const file = openSync(path, "a", 0o600);
  return {
    uploads,
    record({ device, taskId, roundId, modelHash, at }) {
      const line: Line = { device, task: toHex(taskId), round: toHex(roundId), model: toHex(modelHash), at };
      writeSync(file, `${JSON.stringify(line)}\n`);
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/**
 * What the journal holds, for who only looks.
 * @throws {MurmurError} as {@link openFleetJournal}.
 */
export function readFleetJournal(path: string): readonly FleetUpload[] {
  return readLines(path).uploads;
}

function readLines(path: string): { uploads: FleetUpload[]; wholeBytes: number; torn: boolean } {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const lines = whole.split("\n").filter(Boolean);
  const uploads = lines.map((line, i) => {
    try {
      return parseLine(line);
    } catch (cause) {
      throw new MurmurError("store-corrupt", `Line ${i + 1} of ${path} is not an upload's.`, { cause });
    }
  });
  return { uploads, wholeBytes: Buffer.byteLength(whole), torn: whole.length < text.length };
}

function parseLine(text: string): FleetUpload {
  const { device, task, round, model, at } = JSON.parse(text) as Line;
  return {
    device: device as DeviceId,
    taskId: fromHex(task),
    roundId: fromHex(round),
    modelHash: fromHex(model),
    at,
  };
}
