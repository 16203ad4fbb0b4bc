import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { equalBytes, fromHex, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider, Ed25519Key } from "../../shared/crypto/provider.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceJournal } from "../journal.ts";
import type { DeviceMemory } from "../memory.ts";
import { lockFolder } from "./folder-lock.ts";
import { openMemoryStore } from "./memory-store.ts";
import { openRecordFile, type RecordFormat } from "./record-file.ts";
import { deviceJournals, openUploadJournal } from "./upload-journal.ts";

/** Ed25519 seeds, one a line in the order of the devices. Whoever reads it can be these devices. */
export const KEYS_FILE = "keys.ndjson";
export const UPLOADS_FILE = "uploads.ndjson";
/** What the devices keep between rounds, where the algorithm has them keep something. */
export const MEMORY_FILE = "memory.db";
export const LOCK_FILE = "devices.lock";

/** The devices that live on this disk: who they are, and what they have uploaded. Held until it is closed. */
export interface DeviceFolder {
  readonly devices: readonly StoredDevice[];
  close(): void;
}

export interface StoredDevice {
  readonly key: Ed25519Key;
  readonly journal: DeviceJournal;
  readonly memory: DeviceMemory;
}

interface KeyLine {
  readonly publicKey: string;
  readonly seed: string;
}

/**
 * Opens the first `count` devices of a folder, and makes those that are missing: their keys are durable before anybody
 * hears of them. The folder is its owner's alone when it is made here; its files are in any case.
 * @throws {MurmurError} `device-data-in-use` when a process holds it, `device-data-damaged`, `disk-full`, `environment`
 */
export function openDeviceFolder(
  folder: string,
  count: number,
  provider: Pick<CryptoProvider, "generateEd25519" | "importEd25519">,
): DeviceFolder {
  return reporting(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = lockFolder(join(folder, LOCK_FILE));
    try {
      const keys = loadKeys(join(folder, KEYS_FILE), count, provider);
      const uploads = openUploadJournal(join(folder, UPLOADS_FILE), "device-data-damaged");
      const record: typeof uploads.record = (upload) => reporting(folder, () => uploads.record(upload));
      const journalOf = deviceJournals({ uploads: uploads.uploads, record });
      const errors = { damaged: "device-data-damaged", unavailable: "environment" } as const;
      const memories = openMemoryStore({ path: join(folder, MEMORY_FILE), errors });
      return {
        devices: keys.map((key) => {
          const name = toHex(key.publicKey);
          return { key, journal: journalOf(name), memory: memories.of(name) };
        }),
        close() {
          memories.close();
          uploads.close();
          lock.release();
        },
      };
    } catch (error) {
      lock.release();
      throw error;
    }
  });
}

function loadKeys(
  path: string,
  count: number,
  provider: Pick<CryptoProvider, "generateEd25519" | "importEd25519">,
): Ed25519Key[] {
  const file = openRecordFile(path, keyFormat(path, provider));
  try {
    const missing = Math.max(0, count - file.records.length);
    const made = Array.from({ length: missing }, () => provider.generateEd25519());
    if (missing > 0) file.append(made.map(keyLine));
    return [...file.records.slice(0, count), ...made];
  } finally {
    file.close();
  }
}

function keyLine(key: Ed25519Key): string {
  const line: KeyLine = { publicKey: toHex(key.publicKey), seed: toHex(key.exportSeed()) };
  return JSON.stringify(line);
}

function keyFormat(path: string, provider: Pick<CryptoProvider, "importEd25519">): RecordFormat<Ed25519Key> {
  return {
    parse(text) {
      const { publicKey, seed } = JSON.parse(text) as KeyLine;
      const key = provider.importEd25519(fromHex(seed));
      if (!equalBytes(key.publicKey, fromHex(publicKey))) throw new RangeError("not this seed's key");
      return key;
    },
    damaged: (line) => new MurmurError("device-data-damaged", `Line ${line} of ${path} is not a device's key.`),
  };
}

/** Turns what the file system throws into errors that a person can act on. */
function reporting<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof MurmurError || !(cause instanceof Error) || !("code" in cause)) throw cause;
    if (cause.code === "ENOSPC" || cause.code === "EDQUOT") {
      throw new MurmurError("disk-full", `There is no space left to write in ${folder}.`, {
        hint: "Free some space and start the devices again. No upload leaves that is not on the disk before.",
        cause,
      });
    }
    throw new MurmurError("environment", `${folder} cannot be used: ${cause.message}.`, {
      hint: "Check that the --data folder can be read and written, or choose another.",
      cause,
    });
  }
}
