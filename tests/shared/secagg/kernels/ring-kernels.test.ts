import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { availableEngine, createKernelMemory, GROUP, SLACK } from "../../../../shared/secagg/kernels/ring-kernels.ts";
import { assembleModule, i32, i64, local } from "../../../../shared/secagg/kernels/wasm-assembler.ts";
import { assembleRingKernels } from "../../../../shared/secagg/kernels/wasm-kernels.ts";
import { packReference } from "../bigint-ring.ts";

const WIDTHS = Array.from({ length: 25 }, (_, i) => 8 + i);
const PACKED = 0;
const LANES = 4096;

/** Lanes after unpacking `packed` on top of `start`, and the bytes after packing `start`, by one engine. */
function runKernels(engine: "wasm" | "reference", bits: number, start: readonly number[], packed: Uint8Array) {
  const memory = createKernelMemory(65_536, engine);
  const kernels = memory.kernels(bits);
  const bytes = new Uint8Array(memory.buffer);
  const lanes =
    bits <= 16
      ? new Uint16Array(memory.buffer, LANES, start.length)
      : new Uint32Array(memory.buffer, LANES, start.length);
  lanes.set(start);
  kernels.pack(PACKED, LANES, start.length);
  const packedStart = bytes.slice(PACKED, PACKED + packed.length);
  bytes.set(packed, PACKED);
  kernels.unpackAdd(LANES, PACKED, start.length);
  return { packedStart, sums: Array.from(lanes) };
}

describe("the assembled kernels", () => {
  it("run on this platform, so that the tests below compare two engines and not one with itself", () => {
    expect(availableEngine()).toBe("wasm");
  });

  it.each(WIDTHS)("are a valid module of about a kilobyte for %i bits", (bits) => {
    const bytes = assembleRingKernels(bits);
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(1024);
  });

  it.each(WIDTHS)("unpack and pack %i bits exactly as the JavaScript reference and as BigInt do", (bits) => {
    const lane = bits <= 16 ? 2 ** 16 : 2 ** 32;
    const coordinate = fc.oneof(
      fc.constantFrom(0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2 ** bits - 1),
      fc.integer({ min: 0, max: 2 ** bits - 1 }),
    );
    const pair = fc.tuple(fc.integer({ min: 0, max: lane - 1 }), coordinate);
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 4 * GROUP + 1 }), (pairs) => {
        const start = pairs.map(([value]) => value);
        const added = pairs.map(([, value]) => value);
        const packed = packReference(added, bits);
        const expected = {
          packedStart: Array.from(packReference(start, bits)),
          sums: start.map((value, i) => (value + added[i]) % lane),
        };
        // Whole groups: the lanes beyond the count are zero, so the unused bits of the last byte are too.
        for (const engine of ["wasm", "reference"] as const) {
          const { packedStart, sums } = runKernels(engine, bits, start, packed);
          expect({ packedStart: Array.from(packedStart), sums }).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ["16-bit", 8],
    ["32-bit", 32],
  ] as const)("add and subtract %s lanes with natural wrap", (_, bits) => {
    const results = (["wasm", "reference"] as const).map((engine) => {
      const memory = createKernelMemory(65_536, engine);
      const kernels = memory.kernels(bits);
      const words = bits === 8 ? new Uint16Array(memory.buffer) : new Uint32Array(memory.buffer);
      const top = bits === 8 ? 0xffff : 0xffff_ffff;
      const [target, source, count] = [256, 512, 67];
      words.fill(top - 3, target, target + count);
      for (let i = 0; i < count; i++) words[source + i] = i;
      const size = words.BYTES_PER_ELEMENT;
      kernels.add(target * size, source * size, count * size);
      const added = Array.from(words.subarray(target, target + count));
      kernels.subtract(target * size, source * size, count * size);
      kernels.subtract(target * size, source * size, count * size);
      return { added, subtracted: Array.from(words.subarray(target, target + count)), top };
    });
    for (const { added, subtracted, top } of results) {
      expect(added).toEqual(Array.from({ length: 67 }, (_, i) => (top - 3 + i) % (top + 1)));
      expect(subtracted).toEqual(Array.from({ length: 67 }, (_, i) => top - 3 - i));
    }
  });

  it("touch nothing before their range, nor behind it but the rest of the group and the slack", () => {
    for (const bits of WIDTHS) {
      const memory = createKernelMemory(65_536, "wasm");
      const kernels = memory.kernels(bits);
      const bytes = new Uint8Array(memory.buffer).fill(0xa5);
      const count = 13;
      const packedBytes = Math.ceil((count * bits) / 8);
      kernels.pack(1024, 4096, count);
      expect(bytes.subarray(0, 1024).every((byte) => byte === 0xa5)).toBe(true);
      expect(bytes.subarray(1024 + packedBytes + SLACK, 4096).every((byte) => byte === 0xa5)).toBe(true);
      kernels.unpackAdd(8192, 1024, count);
      const laneBytes = bits <= 16 ? 2 : 4;
      expect(bytes.subarray(4096, 8192).every((byte) => byte === 0xa5)).toBe(true);
      expect(bytes.subarray(8192 + 2 * GROUP * laneBytes).every((byte) => byte === 0xa5)).toBe(true);
    }
  });

  it("do nothing for an empty range", () => {
    const memory = createKernelMemory(65_536, "wasm");
    const bytes = new Uint8Array(memory.buffer).fill(0xa5);
    const kernels = memory.kernels(20);
    kernels.add(1024, 2048, 0);
    kernels.pack(1024, 2048, 0);
    kernels.unpackAdd(1024, 2048, 0);
    expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });
});

describe("the assembler", () => {
  it("encodes LEB128 constants that the engine reads back unchanged", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const view = new DataView(memory.buffer);
    const values = [0n, 1n, 63n, 64n, 127n, 128n, -1n, -64n, -65n, 2n ** 31n, 2n ** 63n - 1n, -(2n ** 63n)];
    for (const value of values) {
      const bytes = assembleModule([
        { name: "write", parameters: 1, locals: [], body: [i64.store(local.get(0), i64.const(value), 300)] },
      ]);
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { ring: { memory } });
      (instance.exports.write as (address: number) => void)(8);
      expect(view.getBigInt64(308, true)).toBe(value);
    }
  });

  it("leaves ill-typed code to the engine's validator, which refuses it", () => {
    const bytes = assembleModule([
      { name: "wrong", parameters: 1, locals: [], body: [local.set(0, i64.and(i64.const(1n), i32.const(1)))] },
    ]);
    expect(WebAssembly.validate(bytes)).toBe(false);
  });
});
