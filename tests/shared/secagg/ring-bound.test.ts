import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRingAccumulator } from "../../../shared/secagg/ring-accumulator.ts";
import { assertRingHolds, largestSum, type RingLoad, smallestRingBits } from "../../../shared/secagg/ring-bound.ts";

const levelsOf = (quantisationBits: number) => 2 ** (quantisationBits - 1) - 1;
const load = (quantisationBits: number, maxInputs: number, more: Partial<RingLoad> = {}): RingLoad => ({
  levels: levelsOf(quantisationBits),
  largestSlot: 0,
  maxInputs,
  ...more,
});

describe("the smallest ring", () => {
  it.each([
    [16, 16, 20],
    [16, 17, 21],
    [16, 32, 21],
    [16, 64, 22],
    [16, 128, 23],
    [16, 1024, 26],
    [2, 127, 8],
    [2, 128, 9],
  ])("for q = %i and n = %i has %i bits", (quantisationBits, maxInputs, bits) => {
    expect(smallestRingBits(load(quantisationBits, maxInputs))).toBe(bits);
  });

  it("holds the sum of any inputs, and the ring below it does not: every q and n that can be tried", () => {
    for (let q = 2; q <= 9; q++) {
      for (let n = 1; n <= 130; n++) {
        const bits = smallestRingBits(load(q, n));
        // Sums are monotone in the inputs, so all inputs at +L and all at −L are the ends.
        for (const extreme of [levelsOf(q), -levelsOf(q)]) {
          expect(sumInRing(extreme, n, bits)).toBe(n * extreme);
        }
        // −2^(b−1) is representable, but +2^(b−1) is not: one end failing is enough for a ring to be too narrow.
        if (bits > 8) expect(sumInRing(levelsOf(q), n, bits - 1)).not.toBe(n * levelsOf(q));
      }
    }
  });

  it("is decided by the largest slot where that exceeds the levels", () => {
    expect(smallestRingBits(load(16, 16, { largestSlot: 32_768 }))).toBe(21);
    expect(smallestRingBits(load(16, 16, { largestSlot: 32_767 }))).toBe(20);
    expect(smallestRingBits(load(2, 10, { largestSlot: 60_000 }))).toBe(21);
  });

  it("has room for the noise's tail", () => {
    // 16 · 32767 = 524272; 2^19 = 524288.
    expect(smallestRingBits(load(16, 16, { noiseTail: 15 }))).toBe(20);
    expect(smallestRingBits(load(16, 16, { noiseTail: 15.01 }))).toBe(21);
  });

  it("is the smallest for any load", () => {
    const loads = fc.record({
      levels: fc.integer({ min: 2, max: 20 }).map(levelsOf),
      largestSlot: fc.oneof(fc.constantFrom(0, 1, 2 ** 20), fc.nat(2 ** 20)),
      maxInputs: fc.oneof(fc.constantFrom(1, 2, 1024), fc.integer({ min: 1, max: 1024 })),
      noiseTail: fc.oneof(fc.constantFrom(0, 0.5, 2 ** 20), fc.double({ min: 0, max: 2 ** 20, noNaN: true })),
    });
    fc.assert(
      fc.property(loads, (any) => {
        const bits = smallestRingBits(any);
        const sum =
          BigInt(any.maxInputs) * BigInt(Math.max(any.levels, any.largestSlot)) + BigInt(Math.ceil(any.noiseTail));
        expect(2n ** BigInt(bits - 1) > sum).toBe(true);
        if (bits > 8) expect(2n ** BigInt(bits - 2) > sum).toBe(false);
        expect(() => assertRingHolds(bits, any)).not.toThrow();
        if (bits > 8) expect(() => assertRingHolds(bits - 1, any)).toThrow();
      }),
      { numRuns: 500 },
    );
  });
});

describe("a ring that is too narrow", () => {
  it("is refused with the width that would do", () => {
    const act = () => assertRingHolds(20, load(16, 17));
    expect(act).toThrow(
      "17 inputs of up to 32767 each can sum to 557039, but a ring of 20 bits holds only up to 524287: 21 bits are needed.",
    );
    expect(act).toThrow(expect.objectContaining({ name: "ring-too-narrow" }));
  });

  it("is refused when no ring would do", () => {
    const tooMuch = load(24, 1024);
    for (const act of [() => smallestRingBits(tooMuch), () => assertRingHolds(32, tooMuch)]) {
      expect(act).toThrow(
        "1024 inputs of up to 8388607 each can sum to 8589933568, which is more than a ring of 32 bits holds.",
      );
      expect(act).toThrow(expect.objectContaining({ name: "ring-too-narrow" }));
    }
  });

  it.each([
    { levels: Number.NaN },
    { levels: 0 },
    { levels: 1.5 },
    { maxInputs: 0 },
    { maxInputs: -5 },
    { maxInputs: Number.NaN },
    { largestSlot: -1 },
    { largestSlot: Number.POSITIVE_INFINITY },
    { noiseTail: -1 },
    { noiseTail: Number.NaN },
  ])("cannot be hidden behind a load that is no number: %o", (wrong) => {
    expect(() => assertRingHolds(32, { ...load(16, 16), ...wrong })).toThrow();
  });

  it("nor behind noise without end, or a product beyond exact integers", () => {
    expect(() => largestSum(load(16, 16, { noiseTail: Number.POSITIVE_INFINITY }))).toThrow();
    expect(() => largestSum({ levels: 2 ** 40, largestSlot: 0, maxInputs: 2 ** 40 })).toThrow();
  });
});

/** n inputs of one value, added up where they would be. */
function sumInRing(value: number, n: number, bits: number): number {
  const upload = createRingAccumulator(1, bits);
  const sum = createRingAccumulator(1, bits);
  upload.load(Int32Array.of(value));
  const packed = upload.pack();
  for (let i = 0; i < n; i++) sum.addPacked(packed);
  const [result] = sum.toSignedSum();
  upload.dispose();
  sum.dispose();
  return result;
}
