import type { UploadJournal } from "./secagg/journal.ts";

/** One upload that left this device. */
export interface UploadEntry {
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  /** 16 bytes, big-endian, strictly increasing within a task. */
  readonly roundId: Uint8Array;
  /** 32 bytes. */
  readonly modelHash: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * What a device remembers across restarts: which uploads left it. An entry is durable before the upload it names leaves
 * (`secure-aggregation.md` section 2, "Key schedule"), so that a device never uploads twice for one round.
 */
export interface DeviceJournal {
  /** The latest round of this task that an upload left for, or undefined. */
  latestRound(taskId: Uint8Array): Uint8Array | undefined;
  hasUploaded(modelHash: Uint8Array): boolean;
  /** How many uploads left since `since`, in milliseconds since the epoch. */
  uploadsSince(since: number): number;
  /** @throws when the entry cannot be made durable; nothing may leave then. */
  record(entry: UploadEntry): void;
}

/** The journal as the masking session sees it: the time is the device's to add. */
export function uploadJournal(journal: DeviceJournal, at: number): UploadJournal {
  return {
    recordUpload: (taskId, roundId, modelHash) => journal.record({ taskId, roundId, modelHash, at }),
  };
}
