import type { Keystream } from "../crypto/provider.ts";
import { acquireKernelMemory, releaseKernelMemory } from "./kernels/memory-pool.ts";
import { availableEngine, GROUP, type KernelEngine, SLACK } from "./kernels/ring-kernels.ts";

/**
 * A vector of Z_{2^b}, b = `bits` from 8 to 32, that masks and packed uploads are added to in place.
 *
 * Coordinates are lanes of 16 bits when b ≤ 16 and of 32 otherwise, that wrap naturally; only their low b bits mean
 * anything, so a mask may fill the whole lane. Signed values are two's complement in b bits. On the wire a coordinate has
 * b bits, little-endian, the first in the lowest bits of the first byte; the unused bits of the last byte are zero.
 *
 * ```
 *   memory │ chunk: keystream or packed bytes │ lanes: coordinate 0 … d − 1, padded to whole groups │
 *              └──────── kernel: add, subtract, unpack and add ───────►┘
 * ```
 *
 * One accumulator is all the memory that masking takes: a mask exists a chunk at a time.
 */
export interface RingAccumulator {
  /** Coordinates, metric slots included. */
  readonly dimension: number;
  readonly bits: number;
  readonly laneBytes: 2 | 4;
  /** Length of {@link pack}'s result: ⌈d · b / 8⌉. */
  readonly packedBytes: number;
  /** Replaces the vector; each value is taken mod 2^b. @throws {RangeError} unless there are d values. */
  load(values: Int32Array): void;
  /**
   * Adds (`sign` 1) or subtracts (−1) the mask that the stream is: its next d · laneBytes bytes, read as little-endian
   * lanes. One pass, straight into the vector.
   */
  addKeystream(stream: Keystream, sign: 1 | -1): void;
  /**
   * Adds a packed vector, whole or as the pieces it arrived in, which are not joined. Nothing is added when it is
   * refused.
   * @throws {PackedVectorError} when its length is not {@link packedBytes}, or an unused bit is set.
   */
  addPacked(...pieces: readonly Uint8Array[]): void;
  /** The vector mod 2^b, packed. */
  pack(): Uint8Array;
  /** The vector decoded as two's complement of b bits: each value in −2^(b−1) … 2^(b−1) − 1. */
  toSignedSum(): Int32Array;
  /** Back to the zero vector. */
  reset(): void;
  /** Wipes the vector and gives its memory back; every later call throws. Disposing twice is allowed. */
  dispose(): void;
}

/** @throws {RangeError} when the dimension or the width cannot be represented. */
export function createRingAccumulator(
  dimension: number,
  bits: number,
  engine: KernelEngine = availableEngine(),
): RingAccumulator {
  checkShape(dimension, bits);
  const laneBytes = laneBytesFor(bits);
  const paddedBytes = Math.ceil((dimension * laneBytes) / LANE_PADDING) * LANE_PADDING;
  const usedBytes = LANES + paddedBytes;
  const memory = acquireKernelMemory(usedBytes, engine);
  const kernels = memory.kernels(bits);
  const staging = new Uint8Array(memory.buffer, 0, LANES);
  const lanes =
    laneBytes === 2
      ? new Int16Array(memory.buffer, LANES, paddedBytes / 2)
      : new Int32Array(memory.buffer, LANES, paddedBytes / 4);
  const packedBytes = packedLength(dimension, bits);
  // Whole groups only, so that every chunk starts at a byte and at an aligned lane.
  const packedChunk = Math.floor(CHUNK / bits) * GROUP;
  let disposed = false;

  const checkUsable = () => {
    if (disposed) throw new Error("this ring accumulator was disposed");
  };

  return {
    dimension,
    bits,
    laneBytes,
    packedBytes,
    load(values) {
      checkUsable();
      if (values.length !== dimension) {
        throw new RangeError(`expected ${dimension} ring coordinates, got ${values.length}`);
      }
      lanes.set(values);
    },
    addKeystream(stream, sign) {
      checkUsable();
      const combine = sign === 1 ? kernels.add : kernels.subtract;
      const maskBytes = dimension * laneBytes;
      for (let start = 0; start < maskBytes; start += CHUNK) {
        const length = Math.min(CHUNK, maskBytes - start);
        staging.set(stream.next(length));
        combine(LANES + start, 0, length);
      }
    },
    addPacked(...pieces) {
      checkUsable();
      checkPacked(pieces, dimension, bits);
      for (let first = 0; first < dimension; first += packedChunk) {
        const count = Math.min(packedChunk, dimension - first);
        const start = (first / 8) * bits;
        copyRange(staging, pieces, start, packedLength(count, bits));
        kernels.unpackAdd(LANES + first * laneBytes, 0, count);
      }
    },
    pack() {
      checkUsable();
      lanes.fill(0, dimension);
      const packed = new Uint8Array(packedBytes);
      for (let first = 0; first < dimension; first += packedChunk) {
        const count = Math.min(packedChunk, dimension - first);
        kernels.pack(0, LANES + first * laneBytes, count);
        packed.set(staging.subarray(0, packedLength(count, bits)), (first / 8) * bits);
      }
      return packed;
    },
    toSignedSum() {
      checkUsable();
      const sum = new Int32Array(dimension);
      if (lanes instanceof Int16Array) signExtend16(sum, lanes, 32 - bits);
      else signExtend32(sum, lanes, 32 - bits);
      return sum;
    },
    reset() {
      checkUsable();
      lanes.fill(0);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      releaseKernelMemory(memory, usedBytes);
    },
  };
}

/** A packed vector that does not have the agreed length, or whose unused bits are not zero. */
export class PackedVectorError extends Error {
  override readonly name = "PackedVectorError";
}

/** Bytes of `dimension` coordinates of b bits. */
export function packedLength(dimension: number, bits: number): number {
  return Math.ceil((dimension * bits) / 8);
}

/** Width of a mask lane: it stands in the label of every mask key. */
export function laneBytesFor(bits: number): 2 | 4 {
  return bits <= 16 ? 2 : 4;
}

// 64 KiB of keystream stays in the second-level cache between the cipher, the copy and the kernel, and is small enough
// that the cipher's freshly allocated output is recycled.
const CHUNK = 65_536;
/** Where the lanes begin: behind the chunk and what kernels may touch beyond it. */
const LANES = CHUNK + Math.ceil(SLACK / 64) * 64;
/** A whole group, whatever the lane width, that is also a whole number of vectors for the kernels' add. */
const LANE_PADDING = GROUP * 4;
const LARGEST_MEMORY = 2 ** 31;

function checkShape(dimension: number, bits: number): void {
  if (!Number.isInteger(bits) || bits < 8 || bits > 32) {
    throw new RangeError(`a ring has 8 to 32 bits, not ${bits}`);
  }
  if (!Number.isInteger(dimension) || dimension < 1 || dimension > LARGEST_MEMORY / 8) {
    throw new RangeError(`a ring vector has 1 to ${LARGEST_MEMORY / 8} coordinates, not ${dimension}`);
  }
}

function checkPacked(pieces: readonly Uint8Array[], dimension: number, bits: number): void {
  const expected = packedLength(dimension, bits);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length !== expected) {
    throw new PackedVectorError(
      `a vector of ${dimension} coordinates of ${bits} bits takes ${expected} bytes, not ${length}`,
    );
  }
  const unusedBits = expected * 8 - dimension * bits;
  const last = new Uint8Array(1);
  copyRange(last, pieces, expected - 1, 1);
  if (last[0] >>> (8 - unusedBits) !== 0) {
    throw new PackedVectorError(`the last ${unusedBits} bits of a packed vector must be zero`);
  }
}

/** Copies `length` bytes from `start` on, of the pieces laid end to end, to the beginning of `target`. */
function copyRange(target: Uint8Array, pieces: readonly Uint8Array[], start: number, length: number): void {
  let skip = start;
  let copied = 0;
  for (const piece of pieces) {
    if (skip < piece.length && copied < length) {
      const part = piece.subarray(skip, skip + length - copied);
      target.set(part, copied);
      copied += part.length;
    }
    skip = Math.max(0, skip - piece.length);
  }
}

function signExtend16(sum: Int32Array, lanes: Int16Array, shift: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (lanes[i] << shift) >> shift;
}

function signExtend32(sum: Int32Array, lanes: Int32Array, shift: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (lanes[i] << shift) >> shift;
}
