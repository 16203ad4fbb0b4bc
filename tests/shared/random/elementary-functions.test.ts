import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponential, naturalLog } from "../../../shared/random/elementary-functions.ts";

/** Relative error in units of 2^−52. */
function unitsOff(actual: number, expected: number): number {
  return actual === expected ? 0 : Math.abs(actual - expected) / (Math.abs(expected) * Number.EPSILON);
}

describe("the portable logarithm and exponential", () => {
  it("agree with the platform's to two units in the last place", () => {
    // Interleaved, so that neither leaves anything behind that the other sees.
    fc.assert(
      fc.property(
        fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true }),
        fc.double({ min: -708, max: 709, noNaN: true }),
        (x, y) => {
          expect(unitsOff(naturalLog(x), Math.log(x))).toBeLessThanOrEqual(2);
          expect(unitsOff(exponential(y), Math.exp(y))).toBeLessThanOrEqual(2);
        },
      ),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.double({ min: 0.4, max: 2.5, noNaN: true }), (x) => {
        expect(unitsOff(naturalLog(x), Math.log(x))).toBeLessThanOrEqual(2);
      }),
      { numRuns: 3000 },
    );
  });

  it("have the limits of the functions they stand for", () => {
    expect(naturalLog(1)).toBe(0);
    expect(naturalLog(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(naturalLog(-1)).toBeNaN();
    expect(naturalLog(Number.NaN)).toBeNaN();
    expect(naturalLog(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(naturalLog(Number.MIN_VALUE)).toBeCloseTo(-744.4400719213812, 10);
    expect(exponential(0)).toBe(1);
    expect(exponential(-800)).toBe(0);
    expect(exponential(800)).toBe(Number.POSITIVE_INFINITY);
    expect(exponential(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(exponential(Number.NaN)).toBeNaN();
    expect(exponential(-745)).toBe(Number.MIN_VALUE);
  });
});
