import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MurmurError } from "../../shared/protocol/errors.ts";

/** A file's bytes, and what an error calls it. */
export interface NamedBytes {
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** @throws {MurmurError} `dataset-invalid`, with `hint`, when it cannot be read. */
export async function readDatasetFile(path: string, hint: string): Promise<NamedBytes> {
  try {
    return { bytes: await readFile(path), name: path };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason =
      code === "ENOENT" ? "is not there" : code === "EISDIR" ? "is a folder" : `cannot be read (${code ?? cause})`;
    throw new MurmurError("dataset-invalid", `${path} ${reason}.`, { cause, hint });
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
