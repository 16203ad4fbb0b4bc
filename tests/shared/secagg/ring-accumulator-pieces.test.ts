import fc from "fast-check";
import { expect, test } from "vitest";
import { createRingAccumulator, PackedVectorError } from "../../../shared/secagg/ring-accumulator.ts";

test("a packed vector adds up to the same, whole or cut anywhere", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 8, max: 32 }),
      fc.array(fc.integer(), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(200), { maxLength: 5 }),
      (bits, values, cuts) => {
        const whole = createRingAccumulator(values.length, bits);
        whole.load(Int32Array.from(values));
        const packed = whole.pack();
        const at = [0, ...cuts.map((cut) => cut % (packed.length + 1)).sort((a, b) => a - b), packed.length];
        const pieces = at.slice(1).map((end, i) => packed.subarray(at[i], end));
        const cut = createRingAccumulator(values.length, bits);
        cut.addPacked(...pieces);
        expect(cut.toSignedSum()).toEqual(whole.toSignedSum());
        whole.dispose();
        cut.dispose();
      },
    ),
  );
});

test("pieces longer than the kernels' chunk", () => {
  const values = Int32Array.from({ length: 50_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >> 9);
  const whole = createRingAccumulator(values.length, 23);
  whole.load(values);
  const packed = whole.pack();
  const cut = createRingAccumulator(values.length, 23);
  cut.addPacked(packed.subarray(0, 70_001), packed.subarray(70_001, 70_001), packed.subarray(70_001));
  expect(Buffer.from(cut.pack())).toEqual(Buffer.from(packed));
});

test("pieces that are together too short, too long, or end in a bit that must be zero are refused", () => {
  const accumulator = createRingAccumulator(3, 10);
  const two = Uint8Array.of(0, 0);
  expect(() => accumulator.addPacked(two)).toThrow(PackedVectorError);
  expect(() => accumulator.addPacked(two, two, two)).toThrow(PackedVectorError);
  expect(() => accumulator.addPacked(two, Uint8Array.of(0, 0x40))).toThrow(PackedVectorError);
  accumulator.addPacked(two, Uint8Array.of(0, 0x3f));
});
