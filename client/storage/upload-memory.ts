import { compareBytes, toHex } from "../../shared/crypto/bytes.ts";
import type { DeviceJournal, UploadEntry } from "../journal.ts";

/** One device's uploads, by what is asked about them. */
export interface UploadMemory extends Omit<DeviceJournal, "record"> {
  add(entry: UploadEntry): void;
}

/** Answers at once, however long the device has lived: nothing is searched but the times, and those by halves. */
export function rememberUploads(): UploadMemory {
  const latest = new Map<string, Uint8Array>();
  const models = new Set<string>();
  /** Ascending. */
  const times: number[] = [];

  /** How many uploads left before `at`. */
  function before(at: number): number {
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (times[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    latestRound: (taskId) => latest.get(toHex(taskId)),
    hasUploaded: (modelHash) => models.has(toHex(modelHash)),
    uploadsSince: (since) => times.length - before(since),
    add({ taskId, roundId, modelHash, at }) {
      const task = toHex(taskId);
      const known = latest.get(task);
      if (known === undefined || compareBytes(roundId, known) > 0) latest.set(task, roundId);
      models.add(toHex(modelHash));
      // The last place but after a clock that was set back.
      times.splice(before(at), 0, at);
    },
  };
}
