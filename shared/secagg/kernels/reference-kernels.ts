import type { RingKernels } from "./ring-kernels.ts";

/**
 * The kernels in plain JavaScript: what the WebAssembly ones are tested against, and what runs where there is no
 * WebAssembly SIMD. Typed arrays have the platform's byte order, which is little-endian wherever JavaScript runs today.
 */
export function referenceKernels(buffer: ArrayBuffer, bits: number): RingKernels {
  const laneBytes = bits <= 16 ? 2 : 4;
  const lanes = laneBytes === 2 ? new Int16Array(buffer) : new Int32Array(buffer);
  const bytes = new Uint8Array(buffer);
  return {
    add: (target, source, byteLength) =>
      addLanes(lanes, target / laneBytes, source / laneBytes, byteLength / laneBytes),
    subtract: (target, source, byteLength) =>
      subtractLanes(lanes, target / laneBytes, source / laneBytes, byteLength / laneBytes),
    unpackAdd: (target, source, count) => unpackAdd(lanes, target / laneBytes, bytes, source, count, bits),
    pack: (target, source, count) => pack(bytes, target, lanes, source / laneBytes, count, bits),
  };
}

type Lanes = Int16Array | Int32Array;

function addLanes(lanes: Lanes, target: number, source: number, count: number): void {
  for (let i = 0; i < count; i++) {
    lanes[target + i] = lanes[target + i] + lanes[source + i];
  }
}

function subtractLanes(lanes: Lanes, target: number, source: number, count: number): void {
  for (let i = 0; i < count; i++) {
    lanes[target + i] = lanes[target + i] - lanes[source + i];
  }
}

// A coordinate starts at bit `shift` = 0 … 7 of a byte, so with b = 32 it can reach into a fifth one. A shift by 32 would
// be a shift by 0 in JavaScript: hence the cases.
function unpackAdd(lanes: Lanes, target: number, bytes: Uint8Array, source: number, count: number, bits: number): void {
  const mask = lowBits(bits);
  let byte = source;
  let shift = 0;
  for (let i = 0; i < count; i++) {
    const low = bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | (bytes[byte + 3] << 24);
    const value = shift === 0 ? low : (low >>> shift) | (bytes[byte + 4] << (32 - shift));
    lanes[target + i] = lanes[target + i] + (value & mask);
    shift += bits;
    byte += shift >>> 3;
    shift &= 7;
  }
}

function pack(bytes: Uint8Array, target: number, lanes: Lanes, source: number, count: number, bits: number): void {
  const mask = lowBits(bits);
  let byte = target;
  let shift = 0;
  bytes[byte] = 0;
  for (let i = 0; i < count; i++) {
    const value = lanes[source + i] & mask;
    bytes[byte] |= value << shift;
    bytes[byte + 1] = value >>> (8 - shift);
    bytes[byte + 2] = value >>> (16 - shift);
    bytes[byte + 3] = value >>> (24 - shift);
    bytes[byte + 4] = shift === 0 ? 0 : value >>> (32 - shift);
    shift += bits;
    byte += shift >>> 3;
    shift &= 7;
  }
}

/** 2^bits − 1 as an i32 bit pattern, for 1 ≤ bits ≤ 32. */
function lowBits(bits: number): number {
  return -1 >>> (32 - bits);
}
