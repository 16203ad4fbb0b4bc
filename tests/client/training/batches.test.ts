import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { epochBatches } from "../../../client/training/batches.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";

describe("an epoch's batches", () => {
  it("hold every example once, in full batches and at most one smaller at the end", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 1, max: 40 }), fc.nat(), (count, batchSize, seed) => {
        const batches = epochBatches(count, batchSize, seededRandom(seed, "batches"));
        const all = batches.flatMap((batch) => [...batch]);
        expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(batches.slice(0, -1).every((batch) => batch.length === batchSize)).toBe(true);
        expect(batches.length).toBe(Math.ceil(count / batchSize));
      }),
      { numRuns: 50 },
    );
  });

  it("are the same for the same stream, and another epoch's are another order", () => {
    const random = seededRandom(1, "batches", 3, 4);
    const first = epochBatches(100, 10, random);
    const second = epochBatches(100, 10, random);
    expect(epochBatches(100, 10, seededRandom(1, "batches", 3, 4))).toEqual(first);
    expect(second).not.toEqual(first);
  });

  it("refuse a batch of nothing", () => {
    expect(() => epochBatches(10, 0, seededRandom(1, "batches"))).toThrow(RangeError);
    expect(() => epochBatches(10, 2.5, seededRandom(1, "batches"))).toThrow(RangeError);
  });
});
