import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  gaussianDelta,
  gaussianEpsilon,
  gaussianNoiseMultiplier,
} from "../../../../shared/privacy/accounting/analytic-gaussian.ts";

interface Row {
  readonly epsilon: number;
  readonly delta: number;
  readonly sigma: number;
}
const { analytic_gaussian: reference } = JSON.parse(
  readFileSync(new URL("../../../vectors/dp_accounting.json", import.meta.url), "utf8"),
) as { analytic_gaussian: { sigma: Row[]; epsilon: Row[] } };

const relativeError = (actual: number, expected: number) => Math.abs(actual / expected - 1);

describe("the analytic Gaussian", () => {
  it("has all of the reference's values", () => {
    expect(reference.sigma.length + reference.epsilon.length).toBe(42);
  });

  it.each(reference.sigma)("needs σ = $sigma for ε = $epsilon, δ = $delta", ({ epsilon, delta, sigma }) => {
    expect(relativeError(gaussianNoiseMultiplier({ epsilon, delta }), sigma)).toBeLessThan(1e-9);
  });

  it.each(reference.epsilon)("gives ε = $epsilon for σ = $sigma, δ = $delta", ({ epsilon, delta, sigma }) => {
    expect(relativeError(gaussianEpsilon(sigma, delta), epsilon)).toBeLessThan(1e-9);
  });

  // mpmath with 60 digits: far tails, both halves of the curve, an e^ε beyond the doubles.
  it.each([
    [0.1, 300, 5.718755225081656e-202],
    [0.001, 10000.0, 7.478298460019527e-29],
    [8, 1, 3.6508216874217905e-15],
    [100, 0.08, 0.034033994347939765],
    [700, 0.05, 1.356662127752412e-138],
    [3, 11, 4.999716895402905e-241],
    [0, 5, 0.07965567455405796],
    [-1.5, 0.7, 0.8202609915483382],
    [20, 0.5, 2.016028801306039e-20],
    [30, 1, 4.709326318097522e-193],
    [5000, 0.01, 0.49601097601864236],
  ])("has δ(%f) at σ = %f", (epsilon, sigma, delta) => {
    expect(relativeError(gaussianDelta(epsilon, sigma), delta)).toBeLessThan(1e-9);
  });

  const multipliers = fc.double({ min: 0.02, max: 500, noNaN: true });
  const exponents = fc.double({ min: -40, max: -0.5, noNaN: true });

  it("never promises less than it keeps: what it answers suffices, and hardly less would not", () => {
    fc.assert(
      fc.property(multipliers, exponents, (sigma, exponent) => {
        const delta = 10 ** exponent;
        const epsilon = gaussianEpsilon(sigma, delta);
        expect(gaussianDelta(epsilon, sigma)).toBeLessThanOrEqual(delta);
        if (epsilon === 0) return;
        expect(gaussianDelta(epsilon * (1 - 1e-9), sigma)).toBeGreaterThan(delta);
        const needed = gaussianNoiseMultiplier({ epsilon, delta });
        expect(gaussianDelta(epsilon, needed)).toBeLessThanOrEqual(delta);
        // Where ε is next to 0 it hardly fixes σ, so only there the way back may be longer.
        if (epsilon > 1e-3) expect(relativeError(needed, sigma)).toBeLessThan(1e-9);
      }),
    );
  });

  it("falls in ε and in the noise", () => {
    fc.assert(
      fc.property(multipliers, fc.double({ min: -5, max: 30, noNaN: true }), (sigma, epsilon) => {
        const delta = gaussianDelta(epsilon, sigma);
        expect(delta).toBeGreaterThanOrEqual(0);
        expect(delta).toBeLessThanOrEqual(1);
        expect(gaussianDelta(epsilon + 0.01, sigma)).toBeLessThanOrEqual(delta);
        expect(gaussianDelta(epsilon, sigma * 1.01)).toBeLessThanOrEqual(delta);
      }),
    );
  });

  it("refuses what is no noise and no δ", () => {
    expect(() => gaussianEpsilon(0, 1e-5)).toThrow(RangeError);
    expect(() => gaussianEpsilon(1, 0)).toThrow(RangeError);
    expect(() => gaussianEpsilon(1, Number.NaN)).toThrow(RangeError);
    expect(() => gaussianDelta(Number.NaN, 1)).toThrow(RangeError);
    expect(() => gaussianNoiseMultiplier({ epsilon: -1, delta: 1e-5 })).toThrow(RangeError);
    expect(() => gaussianNoiseMultiplier({ epsilon: 1, delta: 1 })).toThrow(RangeError);
  });
});
