import {
  type DeviceUpload,
  openUploadJournal,
  readUploadJournal,
  type UploadJournalFile,
} from "../../client/storage/upload-journal.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";

/** An upload that left one of the fleet's devices. */
export type FleetUpload = DeviceUpload<DeviceId>;

/** The devices' memory of their uploads, in one file: a simulated fleet shares a disk. */
export type FleetJournal = UploadJournalFile<DeviceId>;

/** Its file in the run's folder. */
export const FLEET_JOURNAL_FILE = "fleet-journal.ndjson";

/**
 * Opens the journal for appending.
 * @throws {MurmurError} `store-corrupt` when a whole line does not parse.
 */
export function openFleetJournal(path: string): FleetJournal {
  return openUploadJournal<DeviceId>(path, "store-corrupt");
}

/**
 * What the journal holds, for who only looks.
 * @throws {MurmurError} as {@link openFleetJournal}.
 */
export function readFleetJournal(path: string): readonly FleetUpload[] {
  return readUploadJournal<DeviceId>(path, "store-corrupt");
}
