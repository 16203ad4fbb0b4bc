import { createCipheriv, randomBytes } from "node:crypto";
import { availableEngine, createKernelMemory, type KernelEngine } from "../../shared/secagg/kernels/ring-kernels.ts";
import { laneBytesFor } from "../../shared/secagg/ring-accumulator.ts";
import { median } from "./report.ts";

/** What one mask costs at the least. */
export interface MaskLimit {
  readonly engine: KernelEngine;
  /** Adds samples: CPU milliseconds of one pass each. To be called in turns with what is held against the limit. */
  sample(count: number): void;
  /** CPU milliseconds of one pass (keystream + add) over the vector: the median of the samples. */
  medianMs(): number;
  /** The best sample. */
  bestMs(): number;
}

/**
 * The limit that secure aggregation's benchmarks are held against: one bare pass of AES-256-CTR keystream and kernel add
 * over `dimension` coordinates, here and now, in this process. A phase that must add `passes` masks cannot be faster
 * than `passes × medianMs`: k + 1 for a device, alive + dropped · k · (1 − δ) for the coordinator.
 *
 * It calls node:crypto and the kernel directly, without key schedule, accumulator, checks or pool: what the code under
 * test adds to this is its own doing.
 */
export function createMaskLimit(options: { readonly dimension: number; readonly bits: number }): MaskLimit {
  const { dimension, bits } = options;
  const engine = availableEngine();
  const maskBytes = dimension * laneBytesFor(bits);
  const memory = createKernelMemory(LANES + maskBytes + CHUNK, engine);
  const staging = new Uint8Array(memory.buffer, 0, CHUNK);
  const { add } = memory.kernels(bits);
  const key = randomBytes(32);
  // Short vectors need many passes for the clock to see them at all.
  const passes = Math.max(1, Math.ceil(4_194_304 / maskBytes));
  const samples: number[] = [];

  function measure(): number {
    const start = cpuMilliseconds();
    for (let pass = 0; pass < passes; pass++) addMaskBarely(add, staging, key, maskBytes);
    return (cpuMilliseconds() - start) / passes;
  }

  for (let i = 0; i < WARM_UP; i++) measure();
  return {
    engine,
    sample(count) {
      for (let i = 0; i < count; i++) samples.push(measure());
    },
    medianMs: () => median(samples),
    bestMs: () => Math.min(...samples),
  };
}

/** CPU time of this process, user and system, all threads, in milliseconds. */
export function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const CHUNK = 65_536;
const LANES = CHUNK + 64;
const WARM_UP = 5;
const ZEROS = new Uint8Array(CHUNK);
const ZERO_COUNTER = new Uint8Array(16);

function addMaskBarely(
  add: (target: number, source: number, byteLength: number) => void,
  staging: Uint8Array,
  key: Uint8Array,
  maskBytes: number,
): void {
  const cipher = createCipheriv("aes-256-ctr", key, ZERO_COUNTER);
  for (let start = 0; start < maskBytes; start += CHUNK) {
    const length = Math.min(CHUNK, maskBytes - start);
    staging.set(cipher.update(length === CHUNK ? ZEROS : ZEROS.subarray(0, length)));
    add(LANES + start, 0, length);
  }
}
