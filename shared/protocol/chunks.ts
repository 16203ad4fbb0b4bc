/** Largest body of one MODEL frame, or one of an upload: 1 MiB. */
export const CHUNK_BYTES = 1 << 20;

/** Cuts a long message into bodies of at most {@link CHUNK_BYTES}, views into it. */
export function cutIntoChunks(message: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < message.length; start += CHUNK_BYTES) {
    parts.push(message.subarray(start, start + CHUNK_BYTES));
  }
  return parts;
}

/**
 * How many uploads a coordinator reads at once; the other devices' connections wait their turn, each with a deadline of
 * its own (`secure-aggregation.md` section 2).
 */
export const UPLOADS_AT_ONCE = 4;
