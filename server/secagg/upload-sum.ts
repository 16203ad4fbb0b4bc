import { CHUNK_BYTES } from "../../shared/protocol/chunks.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import {
  createRingAccumulator,
  PackedVectorError,
  type RingAccumulator,
} from "../../shared/secagg/ring-accumulator.ts";
import { DeviceFault } from "./stage.ts";

/**
 * The running sum of packed uploads that arrive in chunks. An upload is buffered until it is whole, added, and freed, so
 * that memory does not grow with the cohort, and half an upload is never in the sum.
 */
export interface UploadSum {
  readonly sum: RingAccumulator;
  /**
   * Takes the next chunk of a device's upload: 1 MiB each, but for the last.
   * @returns whether the upload is whole, and with that in the sum.
   * @throws {DeviceFault}
   */
  take(device: DeviceId, sequence: number, chunk: Uint8Array): boolean;
  /** Forgets what arrived of an upload that is not whole. */
  forget(device: DeviceId): void;
}

export function createUploadSum(shape: { readonly dimension: number; readonly bits: number }): UploadSum {
  const sum = createRingAccumulator(shape.dimension, shape.bits);
  const incoming = new Map<DeviceId, { readonly chunks: Uint8Array[]; received: number }>();
  return {
    sum,
    take(device, sequence, chunk) {
      const upload = incoming.get(device) ?? { chunks: [], received: 0 };
      incoming.set(device, upload);
      const expected = Math.min(CHUNK_BYTES, sum.packedBytes - upload.received);
      if (sequence !== upload.chunks.length)
        throw new DeviceFault("malformed", "a chunk of the upload is out of order");
      if (chunk.length > expected) throw new DeviceFault("oversize", "the upload is longer than was agreed");
      if (chunk.length < expected) throw new DeviceFault("malformed", "a chunk of the upload is too short");
      upload.chunks.push(chunk);
      upload.received += chunk.length;
      if (upload.received < sum.packedBytes) return false;
      incoming.delete(device);
      try {
        sum.addPacked(...upload.chunks);
      } catch (error) {
        if (error instanceof PackedVectorError) throw new DeviceFault("malformed", error.message);
        throw error;
      }
      return true;
    },
    forget(device) {
      incoming.delete(device);
    },
  };
}
