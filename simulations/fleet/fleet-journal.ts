import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import type { UploadEntry } from "../../client/journal.ts";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
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

/** Opens the journal for appending. A line torn by the end of an earlier process is of an upload that never left. */
export function openFleetJournal(path: string): FleetJournal {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const whole = text.lastIndexOf("\n") + 1;
  if (whole < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, whole)));
  const uploads = text.slice(0, whole).split("\n").filter(Boolean).map(parseLine);
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
