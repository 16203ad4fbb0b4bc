import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binomialUpperTail, regularisedBeta } from "../../../../shared/privacy/accounting/binomial-tail.ts";

/** Pr[Bin(n, p) ≥ k] by summing, p a multiple of 2^-10 so that integers hold everything. */
function exactTail(n: number, numerator: number, k: number): number {
  const one = 1024n;
  const p = BigInt(numerator);
  let sum = 0n;
  let choose = 1n;
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += choose * p ** BigInt(i) * (one - p) ** BigInt(n - i);
    choose = (choose * BigInt(n - i)) / BigInt(i + 1);
  }
  // 60 bits of the quotient, however small it is.
  const bits = sum.toString(2).length;
  const shift = Math.max(0, bits - 60);
  return Number(sum >> BigInt(shift)) * 2 ** (shift - 10 * n);
}

describe("binomial tails", () => {
  it("agree with exact sums, relative to themselves", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 1023 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, numerator, at) => {
          const k = Math.round(at * n);
          const exact = exactTail(n, numerator, k);
          const tail = binomialUpperTail(n, numerator / 1024, k);
          expect(Math.abs(tail / exact - 1)).toBeLessThan(1e-11);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("reach the ends", () => {
    expect(binomialUpperTail(10, 0.3, 0)).toBe(1);
    expect(binomialUpperTail(10, 0.3, 11)).toBe(0);
    expect(regularisedBeta(0, 2, 3)).toBe(0);
    expect(regularisedBeta(1, 2, 3)).toBe(1);
    // mpmath, 40 digits.
    expect(Math.abs(binomialUpperTail(100_000, 0.05, 5600) / 6.497180590789747e-18 - 1)).toBeLessThan(1e-12);
  });
});
