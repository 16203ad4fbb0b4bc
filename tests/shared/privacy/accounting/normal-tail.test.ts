import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  gaussianFactor,
  logNormalTail,
  normalCdf,
  normalTail,
  scaledNormalTail,
} from "../../../../shared/privacy/accounting/normal-tail.ts";
import { normalQuantile } from "../../../../shared/random/normal-quantile.ts";

const relativeError = (actual: number, expected: number) => Math.abs(actual / expected - 1);

describe("the normal distribution's tails", () => {
  // mpmath with 40 digits: x, Φ̄(x), ln Φ̄(x).
  it.each([
    [-8, 0.9999999999999993, -6.220960574271786e-16],
    [-3, 0.9986501019683699, -0.0013508099647481938],
    [-1, 0.8413447460685429, -0.17275377902344988],
    [-0.1, 0.539827837277029, -0.6165050101150263],
    [0, 0.5, -Math.LN2],
    [0.3, 0.3820885778110474, -0.9621028181688507],
    [1, 0.15865525393145705, -1.8410216450092636],
    [2.5, 0.006209665325776135, -5.08164827727869],
    [5, 2.866515718791939e-7, -15.064998393988725],
    [8, 6.220960574271784e-16, -35.01343715991455],
    [12.25, 8.399796063633417e-35, -78.46227082737593],
    [20, 2.7536241186062337e-89, -203.91715537109727],
    [30, 4.906713927148187e-198, -454.3212439563432],
    [37.5, 4.605353009581955e-308, -707.6689893175072],
  ])("at %f", (x, tail, logTail) => {
    expect(relativeError(normalTail(x), tail)).toBeLessThan(2e-15);
    expect(relativeError(normalCdf(-x), tail)).toBeLessThan(2e-15);
    expect(relativeError(logNormalTail(x), logTail)).toBeLessThan(2e-15);
  });

  it("beyond the range of a double", () => {
    expect(relativeError(logNormalTail(50), -1254.8313611394199)).toBeLessThan(1e-15);
    expect(relativeError(logNormalTail(1000), -500007.82669481216)).toBeLessThan(1e-15);
    expect(relativeError(logNormalTail(1e6), -500000000014.73444)).toBeLessThan(1e-15);
    expect(normalTail(60)).toBe(0);
    expect(normalTail(Number.POSITIVE_INFINITY)).toBe(0);
    expect(normalCdf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(normalTail(Number.NaN)).toBeNaN();
  });

  it("have the derivative that the density is", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 30, noNaN: true }), (x) => {
        // R' = xR − 1 for Mills' ratio R.
        const mills = (at: number) => Math.sqrt(2 * Math.PI) * scaledNormalTail(at);
        const h = 1e-4;
        expect((mills(x + h) - mills(x - h)) / (2 * h)).toBeCloseTo(x * mills(x) - 1, 7);
      }),
    );
  });

  it("are inverted by the quantile", () => {
    fc.assert(
      fc.property(fc.double({ min: -300, max: -0.31, noNaN: true }), (exponent) => {
        const p = 10 ** exponent;
        const x = -normalQuantile(p);
        // An error of x in its last bits is x² times that of the tail.
        expect(relativeError(normalTail(x), p)).toBeLessThan(1e-14 + 16 * x * x * 2 ** -53);
      }),
    );
  });

  it("the Gaussian factor keeps its digits where the square is large", () => {
    // mpmath: e^{−x²/2} at the double nearest to 37.123456789.
    expect(relativeError(gaussianFactor(37.123456789), 5.473979774811862e-300)).toBeLessThan(1e-15);
  });
});
