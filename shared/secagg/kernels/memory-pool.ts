import { createKernelMemory, type KernelEngine, type KernelMemory } from "./ring-kernels.ts";

/**
 * A memory of at least `byteLength` bytes, all zero. Give it back with {@link releaseKernelMemory}.
 *
 * A WebAssembly memory cannot shrink, and each one reserves gigabytes of address space until it is collected, so a
 * process that plays many devices would run out of addresses long before it runs out of bytes. Memories are therefore
 * used again, in classes of a power of two; pages that nobody touched cost nothing.
 */
export function acquireKernelMemory(byteLength: number, engine: KernelEngine): KernelMemory {
  const size = sizeClass(byteLength);
  const index = free.findLastIndex((memory) => memory.engine === engine && memory.buffer.byteLength === size);
  if (index === -1) return createKernelMemory(size, engine);
  return free.splice(index, 1)[0];
}

/** Takes a memory back and wipes its first `usedBytes`: there were masks and an unmasked update in it. */
export function releaseKernelMemory(memory: KernelMemory, usedBytes: number): void {
  new Uint8Array(memory.buffer, 0, usedBytes).fill(0);
  free.push(memory);
  if (free.length > LARGEST_POOL) free.shift();
}

const SMALLEST_CLASS = 65_536;
/** Enough for the devices that one process has in their masking exchange at once; the least recently used goes first. */
const LARGEST_POOL = 32;

const free: KernelMemory[] = [];

function sizeClass(byteLength: number): number {
  let size = SMALLEST_CLASS;
  while (size < byteLength) size *= 2;
  return size;
}
