import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cumulative,
  hypergeometric,
  logFactorial,
  lowerQuantile,
  pointProbability,
  upperQuantile,
  upperTail,
} from "../../../shared/secagg/hypergeometric.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../vectors/google_graph_parameters.json", import.meta.url), "utf8"),
);

/** C(n, k) exactly. */
function choose(n: number, k: number): bigint {
  let result = 1n;
  for (let i = 1; i <= k; i++) result = (result * BigInt(n - k + i)) / BigInt(i);
  return result;
}

/** A quotient of big integers as a double, to full precision also when it is tiny. */
function ratio(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  const shift = Math.max(0, denominator.toString(2).length - numerator.toString(2).length + 64);
  return Number((numerator << BigInt(shift)) / denominator) * 2 ** -shift;
}

const relativeError = (actual: number, expected: number) => Math.abs(actual - expected) / (expected + 1e-300);

describe("hypergeometric distribution", () => {
  it.each(vectors.point_probability as number[][])("Pr[X = %d] for %d, %d, %d", (x, n, marked, k, expected) => {
    expect(relativeError(pointProbability(hypergeometric(n, marked, k), x), expected)).toBeLessThan(1e-11);
  });

  it.each(vectors.cumulative as number[][])("Pr[X <= %d] for %d, %d, %d", (x, n, marked, k, expected) => {
    expect(relativeError(cumulative(hypergeometric(n, marked, k), x), expected)).toBeLessThan(1e-11);
  });

  it.each(vectors.quantiles as number[][])("quantiles of %d for %d, %d, %d", (p, n, marked, k, lower, upper) => {
    const distribution = hypergeometric(n, marked, k);
    expect([lower, lower + 1]).toContain(lowerQuantile(distribution, p));
    expect([upper - 1, upper]).toContain(upperQuantile(distribution, p));
  });

  it.each(vectors.invalid_counts as number[][])("refuses counts %d, %d, %d", (n, marked, k) => {
    expect(() => hypergeometric(n, marked, k)).toThrow(RangeError);
  });

  const instances = fc
    .integer({ min: 1, max: 300 })
    .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 0, max: n }), fc.integer({ min: 0, max: n })));

  it("agrees with exact integer arithmetic far into both tails", () => {
    fc.assert(
      fc.property(instances, fc.double({ min: 0, max: 1, noNaN: true }), ([n, marked, k], at) => {
        const distribution = hypergeometric(n, marked, k);
        const x = Math.floor(at * k);
        let above = 0n;
        let upTo = 0n;
        for (let i = 0; i <= k; i++) {
          const ways = i <= marked && k - i <= n - marked ? choose(marked, i) * choose(n - marked, k - i) : 0n;
          if (i > x) above += ways;
          else upTo += ways;
        }
        const total = choose(n, k);
        // A tail that is nearly everything is 1 minus the other one, so the error there is absolute.
        expect(Math.abs(upperTail(distribution, x) - ratio(above, total))).toBeLessThan(
          1e-12 * Math.max(ratio(above, total), above > upTo ? 1 : 0) + 1e-300,
        );
        expect(Math.abs(cumulative(distribution, x) - ratio(upTo, total))).toBeLessThan(
          1e-12 * Math.max(ratio(upTo, total), upTo > above ? 1 : 0) + 1e-300,
        );
      }),
      { numRuns: 300 },
    );
  });

  it("gives the quantile that a scan finds", () => {
    fc.assert(
      fc.property(instances, fc.integer({ min: 0, max: 80 }), ([n, marked, k], bits) => {
        const distribution = hypergeometric(n, marked, k);
        const p = 2 ** -bits * 0.999;
        let upper = -1;
        while (upperTail(distribution, upper) > p) upper++;
        let lower = k + 1;
        while (cumulative(distribution, lower - 1) > p) lower--;
        expect(upperQuantile(distribution, p)).toBe(upper);
        expect(lowerQuantile(distribution, p)).toBe(lower);
      }),
      { numRuns: 300 },
    );
  });

  it("has ln n! to the last digits", () => {
    let logarithm = 0;
    for (let n = 2; n <= 400; n++) {
      logarithm += Math.log(n);
      expect(relativeError(logFactorial(n), logarithm)).toBeLessThan(1e-13);
    }
    // lnΓ(10^6 + 1) by the C library's lgamma.
    expect(relativeError(logFactorial(1_000_000), 12815518.384658169)).toBeLessThan(1e-15);
  });
});
