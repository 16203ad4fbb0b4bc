import { describe, expect, it } from "vitest";
import { acquireKernelMemory, releaseKernelMemory } from "../../../../shared/secagg/kernels/memory-pool.ts";

describe("the pool of kernel memories", () => {
  it("gives a memory again, wiped, to the next who needs its size", () => {
    const first = acquireKernelMemory(100_000, "wasm");
    new Uint8Array(first.buffer, 0, 100_000).fill(0xff);
    releaseKernelMemory(first, 100_000);
    const second = acquireKernelMemory(120_000, "wasm");
    expect(second).toBe(first);
    expect(new Uint8Array(second.buffer).every((byte) => byte === 0)).toBe(true);
  });

  it("never gives one memory to two, nor a memory of another size or engine", () => {
    const [a, b] = [acquireKernelMemory(100_000, "wasm"), acquireKernelMemory(100_000, "wasm")];
    expect(a).not.toBe(b);
    releaseKernelMemory(a, 0);
    expect(acquireKernelMemory(200_000, "wasm")).not.toBe(a);
    expect(acquireKernelMemory(100_000, "reference")).not.toBe(a);
    expect(acquireKernelMemory(100_000, "wasm")).toBe(a);
  });

  it("keeps a bounded number: the least recently used are left to the collector", () => {
    const many = Array.from({ length: 40 }, () => acquireKernelMemory(400_000, "reference"));
    for (const memory of many) releaseKernelMemory(memory, 0);
    const again = Array.from({ length: 40 }, () => acquireKernelMemory(400_000, "reference"));
    const kept = again.filter((memory) => many.includes(memory));
    expect(kept.length).toBe(32);
    expect(kept).not.toContain(many[0]);
  });
});
