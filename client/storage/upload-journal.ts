import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import type { ErrorName } from "../../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceJournal, UploadEntry } from "../journal.ts";
import { openRecordFile, type RecordFormat, readRecordFile } from "./record-file.ts";
import { rememberUploads, type UploadMemory } from "./upload-memory.ts";

/** An upload that left one of the devices that share a file. */
export interface DeviceUpload<Device extends string = string> extends UploadEntry {
  readonly device: Device;
}

/** The memory of their uploads that the devices on one disk share. */
export interface UploadJournalFile<Device extends string = string> {
  /** What was recorded by earlier processes. */
  readonly uploads: readonly DeviceUpload<Device>[];
  /** Durable when it returns. */
  record(upload: DeviceUpload<Device>): void;
  close(): void;
}

interface Line {
  readonly device: string;
  /** Hexadecimal, 16 bytes each, and 32. */
  readonly task: string;
  readonly round: string;
  readonly model: string;
  readonly at: number;
}

/**
 * Opens the journal for appending, one line an upload. A line torn by the end of an earlier process is of an upload that
 * never left.
 * @param damaged the error for a whole line that does not parse: forgetting it could let an upload leave twice.
 * @throws {MurmurError} `damaged`
 */
export function openUploadJournal<Device extends string>(path: string, damaged: ErrorName): UploadJournalFile<Device> {
  const file = openRecordFile(path, uploadFormat<Device>(path, damaged));
  return {
    uploads: file.records,
    record({ device, taskId, roundId, modelHash, at }) {
      const line: Line = { device, task: toHex(taskId), round: toHex(roundId), model: toHex(modelHash), at };
      file.append([JSON.stringify(line)]);
    },
    close: () => file.close(),
  };
}

/** What the journal holds, for who only looks. @throws {MurmurError} as {@link openUploadJournal}. */
export function readUploadJournal<Device extends string>(
  path: string,
  damaged: ErrorName,
): readonly DeviceUpload<Device>[] {
  return readRecordFile(path, uploadFormat<Device>(path, damaged));
}

/** Each device's own journal in the file, every question answered from memory. */
export function deviceJournals(file: Pick<UploadJournalFile, "uploads" | "record">): (device: string) => DeviceJournal {
  const memories = new Map<string, UploadMemory>();
  const memoryOf = (device: string): UploadMemory => {
    const known = memories.get(device) ?? rememberUploads();
    memories.set(device, known);
    return known;
  };
  for (const upload of file.uploads) memoryOf(upload.device).add(upload);
  return (device) => {
    const memory = memoryOf(device);
    return {
      latestRound: memory.latestRound,
      hasUploaded: memory.hasUploaded,
      uploadsSince: memory.uploadsSince,
      record(entry) {
        file.record({ device, ...entry });
        memory.add(entry);
      },
    };
  };
}

function uploadFormat<Device extends string>(path: string, damaged: ErrorName): RecordFormat<DeviceUpload<Device>> {
  return {
    parse(text) {
      const { device, task, round, model, at } = JSON.parse(text) as Line;
      if (typeof device !== "string" || !Number.isFinite(at)) throw new RangeError("not an upload");
      return {
        device: device as Device,
        taskId: bytesOf(task, 16),
        roundId: bytesOf(round, 16),
        modelHash: bytesOf(model, 32),
        at,
      };
    },
    damaged: (line) => new MurmurError(damaged, `Line ${line} of ${path} is not an upload's.`),
  };
}

function bytesOf(hex: string, length: number): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where ${length} belong`);
  return bytes;
}
