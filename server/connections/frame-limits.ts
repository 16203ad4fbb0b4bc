import { CHUNK_BYTES } from "../../shared/protocol/chunks.ts";
import { HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { BOX_BYTES } from "../../shared/secagg/messages/exchanges.ts";

/** The most neighbours that a device can have: shares are numbered with one byte. */
const MOST_NEIGHBOURS = 254;
/** Commitment, signature, and room for the fields of the smaller messages. */
const SLACK_BYTES = 1024;

/**
 * The longest frame that a device of this task has any reason to send: a chunk of its upload, or its shares. Anything
 * longer is cut off before it fills the memory.
 */
export function largestDeviceFrame({ dimension, bits }: Pick<SecAggAgreement, "dimension" | "bits">): number {
  const upload = Math.min(CHUNK_BYTES, Math.ceil((dimension * bits) / 8));
  return HEADER_BYTES + Math.max(upload, MOST_NEIGHBOURS * BOX_BYTES) + SLACK_BYTES;
}
