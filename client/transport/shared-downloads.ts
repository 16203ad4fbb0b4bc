import { toHex } from "../../shared/crypto/bytes.ts";

/** Fetches a model by its hash, 32 bytes, and its length. */
export type FetchModel = (hash: Uint8Array, bytes: number) => Promise<Uint8Array>;

/**
 * One download for all devices of a process. The last model stays until another is asked for, and its bytes are the same
 * for everybody: nobody writes to them.
 */
export function shareDownloads(download: FetchModel): FetchModel {
  let last: { readonly name: string; readonly model: Promise<Uint8Array> } | undefined;
  return (hash, bytes) => {
    const name = `${toHex(hash)} ${bytes}`;
    if (last?.name === name) return last.model;
    const current = { name, model: download(hash, bytes) };
    last = current;
    current.model.catch(() => {
      if (last === current) last = undefined;
    });
    return current.model;
  };
}
