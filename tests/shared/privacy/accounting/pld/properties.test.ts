import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gaussianDelta, gaussianEpsilon } from "../../../../../shared/privacy/accounting/analytic-gaussian.ts";
import { coarser } from "../../../../../shared/privacy/accounting/pld/coarser.ts";
import { composed, composedAll } from "../../../../../shared/privacy/accounting/pld/compose.ts";
import { connectTheDots } from "../../../../../shared/privacy/accounting/pld/connect-the-dots.ts";
import { pldDelta, pldEpsilon } from "../../../../../shared/privacy/accounting/pld/epsilon.ts";
import {
  cappedPoissonGaussianPld,
  discreteGaussianPld,
  gaussianPld,
  laplacePld,
  poissonGaussianPld,
  randomisedResponsePld,
  replaceOneGaussianPld,
} from "../../../../../shared/privacy/accounting/pld/mechanisms.ts";
import type { LossDistribution, Pld } from "../../../../../shared/privacy/accounting/pld/pld.ts";
import { gaussianCurve } from "../../../../../shared/privacy/accounting/pld/privacy-curve.ts";

// A coarse grid: what is stated here holds on any.
const interval = 1e-3;
const DELTA = 1e-5;

const everyKind: [string, Pld][] = [
  ["Poisson-subsampled Gaussian", poissonGaussianPld({ sampling: 0.2, noiseMultiplier: 1.1, interval })],
  ["Gaussian without sampling", gaussianPld({ noiseMultiplier: 3 })],
  ["replace-one Gaussian", replaceOneGaussianPld({ sampling: 0.1, noiseMultiplier: 1, interval })],
  [
    "capped Poisson Gaussian",
    cappedPoissonGaussianPld({ population: 200, sampling: 0.1, cap: 25, noiseMultiplier: 1.2, interval }),
  ],
  ["discrete Gaussian", discreteGaussianPld({ sigma: 4, sensitivity: 2, interval })],
  ["sampled discrete Gaussian", discreteGaussianPld({ sigma: 4, sensitivity: 4, sampling: 0.3, interval })],
  ["Laplace", laplacePld({ scale: 3, interval })],
  ["sampled Laplace", laplacePld({ scale: 0.7, sampling: 0.1, interval })],
  ["randomised response", randomisedResponsePld({ noise: 0.6, values: 3, interval })],
];

describe("a count of runs", () => {
  it.each(everyKind)("counts for a %s", (_name, pld) => {
    const once = pldEpsilon(pld, DELTA);
    const counted = pldEpsilon(composed(pld, 5), DELTA);
    const listed = pldEpsilon(composedAll([1, 1, 1, 1, 1].map((times) => ({ pld, times }))), DELTA);
    const nested = pldEpsilon(
      composedAll([
        { pld: composed(pld, 2), times: 2 },
        { pld, times: 1 },
      ]),
      DELTA,
    );
    expect(counted).toBeGreaterThan(1.2 * once);
    expect(listed).toBeCloseTo(counted, 8);
    expect(nested).toBeCloseTo(counted, 6);
  });

  it("of randomised response without δ is ten times one run's ε", () => {
    const pld = composed(randomisedResponsePld({ noise: 0.5, values: 2 }), 10);
    const exact = 10 * Math.log(3);
    expect(pldEpsilon(pld, 1e-12)).toBeLessThan(exact + 1e-3);
    expect(pldDelta(pld, exact - 1)).toBeGreaterThan(0.03);
  });
});

describe("composition", () => {
  it("is the convolution that defines it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 2, maxLength: 12 }),
        fc.integer({ min: -20, max: 5 }),
        fc.integer({ min: 2, max: 5 }),
        (weights, first, times) => {
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const one: LossDistribution = {
            interval: 0.1,
            first,
            masses: Float64Array.from(weights, (weight) => (0.999 * weight) / total),
            infinite: 0.001,
          };
          const pld = composed({ kind: "grid", directions: [one] }, times);
          for (const epsilon of [0, 0.05, 0.3, 1, 2.5]) {
            expect(pldDelta(pld, epsilon)).toBeCloseTo(deltaByEnumeration(one, times, epsilon), 12);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("of different mechanisms does not depend on their order", () => {
    const kinds = everyKind.map(([, pld]) => pld);
    const parts = kinds.map((pld, index) => ({ pld, times: 1 + (index % 3) }));
    const forwards = pldEpsilon(composedAll(parts), DELTA);
    const backwards = pldEpsilon(composedAll([...parts].reverse()), DELTA);
    expect(backwards).toBeCloseTo(forwards, 8);
  });

  it("of Gaussians is the Gaussian, and on a grid hardly more and never less", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.7, max: 20, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        (noiseMultiplier, times) => {
          const exact = gaussianEpsilon(noiseMultiplier / Math.sqrt(times), DELTA);
          expect(pldEpsilon(composed(gaussianPld({ noiseMultiplier }), times), DELTA)).toBeCloseTo(exact, 10);
          const grid = connectTheDots(gaussianCurve(noiseMultiplier), interval);
          const onGrid = pldEpsilon(composed(grid, times), DELTA);
          expect(onGrid).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(onGrid).toBeLessThan(exact * 1.02 + interval);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("puts grids of different steps on one, and refuses steps that have none in common", () => {
    const fine = laplacePld({ scale: 2, interval: 1e-3 });
    const coarse = poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 1, interval: 4e-3 });
    const both = pldEpsilon(
      composedAll([
        { pld: fine, times: 2 },
        { pld: coarse, times: 3 },
      ]),
      DELTA,
    );
    const same = pldEpsilon(
      composedAll([
        { pld: fine, times: 2 },
        { pld: poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 1, interval }), times: 3 },
      ]),
      DELTA,
    );
    expect(both).toBeGreaterThanOrEqual(same);
    expect(both).toBeLessThan(same * 1.001);
    const odd = laplacePld({ scale: 2, interval: 3e-3 });
    expect(() =>
      composedAll([
        { pld: fine, times: 1 },
        { pld: odd, times: 1 },
      ]),
    ).toThrow(RangeError);
  });

  it("takes a coarser grid rather than one that is too long", () => {
    const pld = composed(poissonGaussianPld({ sampling: 0.5, noiseMultiplier: 0.3 }), 10_000);
    // Without sampling it is a Gaussian of z/100, of which sampling at one half leaves a little more than half.
    const unsampled = gaussianEpsilon(0.3 / 100, DELTA);
    const epsilon = pldEpsilon(pld, DELTA);
    expect(epsilon).toBeLessThan(unsampled);
    expect(epsilon).toBeGreaterThan(0.3 * unsampled);
  });

  it("refuses half a run and nothing at all", () => {
    const [[, pld]] = everyKind;
    expect(() => composed(pld, 0)).toThrow(RangeError);
    expect(() => composed(pld, 1.5)).toThrow(RangeError);
    expect(() => composedAll([])).toThrow(RangeError);
  });
});

/** δ from all the sequences of `times` losses. */
function deltaByEnumeration(
  { interval: step, first, masses, infinite }: LossDistribution,
  times: number,
  epsilon: number,
) {
  let sums = new Map([[0, 1]]);
  for (let run = 0; run < times; run++) {
    const next = new Map<number, number>();
    for (const [index, mass] of sums) {
      masses.forEach((other, i) => {
        next.set(index + first + i, (next.get(index + first + i) ?? 0) + mass * other);
      });
    }
    sums = next;
  }
  let delta = 1 - (1 - infinite) ** times;
  for (const [index, mass] of sums) delta += mass * Math.max(0, 1 - Math.exp(epsilon - index * step));
  return delta;
}

describe("ε of the Poisson-subsampled Gaussian", () => {
  const epsilonOf = (q: number, z: number, steps: number, delta = DELTA) =>
    pldEpsilon(composed(poissonGaussianPld({ sampling: q, noiseMultiplier: z, interval }), steps), delta);

  it("grows in the rate, the steps and 1/δ, and falls in the noise", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.005, max: 0.8, noNaN: true }),
        fc.double({ min: 0.6, max: 4, noNaN: true }),
        fc.integer({ min: 1, max: 400 }),
        (q, z, steps) => {
          const epsilon = epsilonOf(q, z, steps);
          expect(epsilonOf(q * 1.1, z, steps)).toBeGreaterThanOrEqual(epsilon);
          expect(epsilonOf(q, z * 1.1, steps)).toBeLessThanOrEqual(epsilon);
          expect(epsilonOf(q, z, steps + 10)).toBeGreaterThanOrEqual(epsilon);
          expect(epsilonOf(q, z, steps, DELTA / 3)).toBeGreaterThanOrEqual(epsilon);
        },
      ),
      { numRuns: 12 },
    );
  });

  it("is that of the Gaussian at rate 1, and close to it close to 1", () => {
    const exact = gaussianEpsilon(1 / Math.sqrt(10), DELTA);
    expect(epsilonOf(1, 1, 10)).toBeCloseTo(exact, 10);
    expect(epsilonOf(1 - 1e-6, 1, 10)).toBeCloseTo(exact, 3);
    expect(epsilonOf(1, 1.7, 1)).toBeCloseTo(gaussianEpsilon(1.7, DELTA), 10);
  });

  it("and δ undo each other", () => {
    const pld = composed(poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 1, interval }), 50);
    for (const delta of [1e-11, 1e-8, 1e-5, 1e-2]) {
      const back = pldDelta(pld, pldEpsilon(pld, delta));
      expect(Math.abs(back / delta - 1)).toBeLessThan(1e-6);
    }
  });

  it("of one step is the closed form in both directions", () => {
    // With a device removed: q·δ(η) with e^η = 1 + (e^ε − 1)/q.
    const [q, z] = [0.2, 0.9];
    const pld = poissonGaussianPld({ sampling: q, noiseMultiplier: z });
    if (pld.kind !== "grid") throw new Error("a sampled mechanism is a distribution on a grid");
    expect(pld.directions).toHaveLength(2);
    for (const epsilon of [0, 0.1, 1, 3]) {
      const removed = q * gaussianDelta(Math.log1p(Math.expm1(epsilon) / q), z);
      expect(Math.abs(pldDelta(pld, epsilon) / removed - 1)).toBeLessThan(1e-7);
    }
    // Of a probability distribution, all of it.
    for (const { masses, infinite } of pld.directions) {
      expect(masses.reduce((sum, mass) => sum + mass, infinite)).toBeCloseTo(1, 10);
    }
  });

  it("refuses a δ that would rest on rounding errors, and rates that are none", () => {
    const pld = poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 1, interval });
    expect(() => pldEpsilon(pld, 1e-13)).toThrow(RangeError);
    expect(() => pldEpsilon(pld, Number.NaN)).toThrow(RangeError);
    expect(() => pldDelta(pld, -1)).toThrow(RangeError);
    expect(() => poissonGaussianPld({ sampling: 0, noiseMultiplier: 1 })).toThrow(RangeError);
    expect(() => poissonGaussianPld({ sampling: 1.01, noiseMultiplier: 1 })).toThrow(RangeError);
    expect(() => poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 0 })).toThrow(RangeError);
    expect(() => poissonGaussianPld({ sampling: 0.1, noiseMultiplier: 1e-5 })).toThrow(RangeError);
    expect(() => discreteGaussianPld({ sigma: 1, sensitivity: 0.5 })).toThrow(RangeError);
  });
});

describe("a coarser grid", () => {
  it("keeps both probabilities and gives no smaller δ", () => {
    const pld = poissonGaussianPld({ sampling: 0.3, noiseMultiplier: 0.8, interval: 0.01 });
    if (pld.kind !== "grid") throw new Error("a sampled mechanism is a distribution on a grid");
    for (const fine of pld.directions) {
      const coarse = coarser(fine);
      const total = ({ masses }: LossDistribution) => masses.reduce((sum, mass) => sum + mass, 0);
      const other = ({ masses, first, interval: step }: LossDistribution) =>
        masses.reduce((sum, mass, i) => sum + mass * Math.exp(-(first + i) * step), 0);
      expect(total(coarse)).toBeCloseTo(total(fine), 12);
      expect(other(coarse)).toBeCloseTo(other(fine), 12);
      for (let epsilon = 0; epsilon < 3; epsilon += 0.005) {
        const before = pldDelta({ kind: "grid", directions: [fine] }, epsilon);
        const after = pldDelta({ kind: "grid", directions: [coarse] }, epsilon);
        expect(after).toBeGreaterThanOrEqual(before - 1e-14);
        expect(after).toBeLessThan(before + 1e-3);
      }
    }
  });
});
