import { referenceKernels } from "./reference-kernels.ts";
import { assembleRingKernels } from "./wasm-kernels.ts";

/**
 * The loops over ring coordinates, on byte addresses in one memory. Lanes are u16 when the ring has at most 16 bits and
 * u32 otherwise, little-endian, and wrap naturally. Each kernel works in whole groups of {@link GROUP} coordinates, so
 * memory must extend to a full group behind every range, and {@link SLACK} bytes behind every packed range; what a
 * kernel writes beyond `count` coordinates is unspecified.
 */
export interface RingKernels {
  /** lanes[target …] += lanes[source …], `byteLength` bytes. */
  add(target: number, source: number, byteLength: number): void;
  /** lanes[target …] −= lanes[source …], `byteLength` bytes. */
  subtract(target: number, source: number, byteLength: number): void;
  /** Adds `count` packed coordinates at `source` to the lanes at `target`. */
  unpackAdd(target: number, source: number, count: number): void;
  /** Packs the low b bits of `count` lanes at `source` into the bytes at `target`. */
  pack(target: number, source: number, count: number): void;
}

/** Coordinates per kernel step: eight coordinates of b bits are exactly b bytes. */
export const GROUP = 8;
/** Bytes that a kernel may read or write beyond a packed range. */
export const SLACK = 48;

/** "wasm" wherever the platform has WebAssembly SIMD; "reference" is the same arithmetic in JavaScript, much slower. */
export type KernelEngine = "wasm" | "reference";

/** The fastest engine that this platform allows. A page whose content security policy forbids WebAssembly has none. */
export function availableEngine(): KernelEngine {
  available ??= probe();
  return available;
}

/** A memory with the kernels bound to it. The buffer never moves. */
export interface KernelMemory {
  readonly engine: KernelEngine;
  readonly buffer: ArrayBuffer;
  /** Kernels for b = `bits` (8 … 32). */
  kernels(bits: number): RingKernels;
}

export function createKernelMemory(byteLength: number, engine: KernelEngine): KernelMemory {
  return engine === "wasm" ? wasmMemory(byteLength) : referenceMemory(byteLength);
}

const PAGE = 65_536;
const modules = new Map<number, WebAssembly.Module>();
let available: KernelEngine | undefined;

function wasmMemory(byteLength: number): KernelMemory {
  const pages = Math.ceil(byteLength / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bound = new Map<number, RingKernels>();
  return {
    engine: "wasm",
    buffer: memory.buffer,
    kernels(bits) {
      let kernels = bound.get(bits);
      if (kernels === undefined) {
        const instance = new WebAssembly.Instance(kernelModule(bits), { ring: { memory } });
        kernels = instance.exports as unknown as RingKernels;
        bound.set(bits, kernels);
      }
      return kernels;
    },
  };
}

function referenceMemory(byteLength: number): KernelMemory {
  const buffer = new ArrayBuffer(Math.ceil(byteLength / PAGE) * PAGE);
  return { engine: "reference", buffer, kernels: (bits) => referenceKernels(buffer, bits) };
}

function kernelModule(bits: number): WebAssembly.Module {
  let compiled = modules.get(bits);
  if (compiled === undefined) {
    compiled = new WebAssembly.Module(assembleRingKernels(bits));
    modules.set(bits, compiled);
  }
  return compiled;
}

function probe(): KernelEngine {
  try {
    return kernelModule(32) instanceof WebAssembly.Module ? "wasm" : "reference";
  } catch {
    // No WebAssembly, no SIMD, or forbidden by policy: all three throw, and none is an error here.
    return "reference";
  }
}
