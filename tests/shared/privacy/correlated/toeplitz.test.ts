import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { correlatedNoiseEpsilon, correlatedNoiseFor } from "../../../../shared/privacy/correlated/epsilon.ts";
import { INITIAL_NOISE, nextNoise } from "../../../../shared/privacy/correlated/noise-stream.ts";
import { sensitivity } from "../../../../shared/privacy/correlated/sensitivity.ts";
import {
  columnNorm,
  inverseCoefficients,
  maximumErrorFactor,
  squareRootFactor,
  type ToeplitzFactor,
} from "../../../../shared/privacy/correlated/toeplitz.ts";
import { treeConcentration, treeEpsilon, treeHeight } from "../../../../shared/privacy/correlated/tree-aggregation.ts";

const reference = JSON.parse(readFileSync(new URL("../../../vectors/dp_accounting.json", import.meta.url), "utf8"));

const relativeError = (actual: number, expected: number) => Math.abs(actual / expected - 1);

interface FactorRow {
  readonly n: number;
  readonly sqrt_toeplitz_coef_first8: readonly number[];
  readonly inv_coef_first8: readonly number[];
  readonly column_norm: number;
  readonly max_error_factor: number;
  readonly tree_height: number;
}

describe("the square root of the prefix sums", () => {
  it.each(reference.matrix_factorisation_sqrt_toeplitz as FactorRow[])("over $n rounds", (row) => {
    const factor = squareRootFactor(row.n);
    expect([...factor.coefficients.slice(0, 8)]).toEqual(row.sqrt_toeplitz_coef_first8);
    expect([...inverseCoefficients(factor).slice(0, 8)]).toEqual(row.inv_coef_first8);
    expect(relativeError(columnNorm(factor), row.column_norm)).toBeLessThan(1e-12);
    expect(relativeError(maximumErrorFactor(factor), row.max_error_factor)).toBeLessThan(1e-12);
    expect(treeHeight(row.n)).toBe(row.tree_height);
  });

  it.each([
    [64, 2.39],
    [256, 2.83],
    [1024, 3.27],
  ])("carries an error of %f over %f rounds", (rounds, error) => {
    expect(maximumErrorFactor(squareRootFactor(rounds))).toBeCloseTo(error, 2);
  });

  it("gives independent noise with one band", () => {
    const factor = squareRootFactor(64, 1);
    expect(maximumErrorFactor(factor)).toBeCloseTo(8, 12);
    expect(columnNorm(factor)).toBe(1);
  });

  it("is one: its square is all ones", () => {
    const { coefficients } = squareRootFactor(50);
    for (let k = 0; k < 50; k++) {
      let sum = 0;
      for (let j = 0; j <= k; j++) sum += coefficients[j] * coefficients[k - j];
      expect(sum).toBeCloseTo(1, 12);
    }
  });

  it("refuses no rounds and bands beyond them", () => {
    expect(() => squareRootFactor(0)).toThrow(RangeError);
    expect(() => squareRootFactor(5, 6)).toThrow(RangeError);
  });
});

/** The greatest ‖Σ_j C_{:,j}‖₂ by trying every pattern. */
function sensitivityByTrying({ rounds, coefficients }: ToeplitzFactor, most: number, separation: number): number {
  let greatest = 0;
  const extend = (from: number, left: number, sum: readonly number[]) => {
    greatest = Math.max(greatest, Math.hypot(...sum));
    if (left === 0) return;
    for (let start = from; start < rounds; start++) {
      extend(
        start + separation,
        left - 1,
        sum.map((value, t) => value + (coefficients[t - start] ?? 0)),
      );
    }
  };
  extend(0, most, new Array<number>(rounds).fill(0));
  return greatest;
}

describe("the sensitivity to all that one device contributes", () => {
  it("is the greatest over the patterns that it may choose", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 11 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (rounds, at, most, separation) => {
          const factor = squareRootFactor(rounds, 1 + Math.floor(at * (rounds - 1)));
          const tried = sensitivityByTrying(factor, most, separation);
          expect(sensitivity(factor, { most, separation })).toBeCloseTo(tried, 10);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is far more than one participation's where there are ten", () => {
    const factor = squareRootFactor(100);
    const ten = { most: 10, separation: 10 };
    expect(sensitivity(factor, { most: 1, separation: 1 })).toBeCloseTo(1.591, 3);
    expect(sensitivity(factor, ten)).toBeCloseTo(8.734, 3);
    // Noise for ε = 2 and one participation really gives 14.9 to a device that takes part ten times.
    const target = { epsilon: 2, delta: 1e-5 };
    const tooLittle = correlatedNoiseFor(factor, { most: 1, separation: 1 }, target);
    expect(correlatedNoiseEpsilon(factor, ten, tooLittle, 1e-5)).toBeCloseTo(14.9, 1);
    expect(correlatedNoiseEpsilon(factor, ten, correlatedNoiseFor(factor, ten, target), 1e-5)).toBeCloseTo(2, 9);
  });

  it("refuses a factor for which the worst pattern is not known, and no participation", () => {
    const growing = { rounds: 3, coefficients: Float64Array.of(1, 2) };
    expect(() => sensitivity(growing, { most: 1, separation: 1 })).toThrow(RangeError);
    const negative = { rounds: 3, coefficients: Float64Array.of(1, -0.5) };
    expect(() => sensitivity(negative, { most: 1, separation: 1 })).toThrow(RangeError);
    expect(() => sensitivity(squareRootFactor(3), { most: 0, separation: 1 })).toThrow(RangeError);
    expect(() => sensitivity(squareRootFactor(3), { most: 1, separation: 0 })).toThrow(RangeError);
  });

  interface BandedRow {
    readonly n: number;
    readonly bands_and_min_separation: number;
    readonly max_participations: number;
    readonly noise_multiplier: number;
    readonly delta: number;
    readonly epsilon: number;
  }

  it.each(reference.banded_mf_no_amplification as BandedRow[])(
    "is √k for columns that do not meet: $n rounds, $bands_and_min_separation bands",
    ({ n, bands_and_min_separation: bands, max_participations: most, noise_multiplier: z, delta, epsilon }) => {
      const factor = squareRootFactor(n, bands);
      const participation = { most: n, separation: bands };
      // The last column is cut off by the end, so that it is a little less than √k columns' norms.
      const columns = sensitivity(factor, participation) / columnNorm(factor);
      expect(columns).toBeLessThanOrEqual(Math.sqrt(most) * (1 + 1e-12));
      expect(columns).toBeGreaterThan(0.99 * Math.sqrt(most));
      const whole = correlatedNoiseEpsilon(factor, participation, z * columnNorm(factor), delta);
      expect(whole).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
      expect(relativeError(whole, epsilon)).toBeLessThan(0.01);
      if (n % bands === 0) expect(relativeError(whole, epsilon)).toBeLessThan(1e-9);
    },
  );

  it("gives the specification's figure for 1024 rounds and 64 bands", () => {
    const factor = squareRootFactor(1024, 64);
    const noise = 4 * columnNorm(factor);
    expect(correlatedNoiseEpsilon(factor, { most: 16, separation: 64 }, noise, 1e-5)).toBeCloseTo(4.377, 3);
  });
});

describe("the stream of correlated noise", () => {
  const stream = (factor: ToeplitzFactor, fresh: readonly Float64Array[]) => {
    let state = INITIAL_NOISE;
    return fresh.map((vector) => {
      const step = nextNoise(factor, structuredClone(state), vector);
      state = step.state;
      return step.noise;
    });
  };

  it("is what C turns into the fresh noise, with bands − 1 vectors kept", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.infiniteStream(fc.double({ min: -3, max: 3, noNaN: true })),
        (rounds, at, values) => {
          const factor = squareRootFactor(rounds, 1 + Math.floor(at * (rounds - 1)));
          const draw = () => values.next().value as number;
          const fresh = Array.from({ length: rounds }, () => Float64Array.of(draw(), draw()));
          const noise = stream(factor, fresh);
          for (let t = 0; t < rounds; t++) {
            for (const i of [0, 1]) {
              let sum = 0;
              for (let j = 0; j <= t; j++) sum += (factor.coefficients[j] ?? 0) * noise[t - j][i];
              expect(sum).toBeCloseTo(fresh[t][i], 10);
            }
          }
        },
      ),
    );
  });

  it("leaves less in a prefix sum than independent noise, by the error factor", () => {
    const factor = squareRootFactor(64);
    // A unit impulse's response is a column of C⁻¹; a prefix sum of it is one of B.
    const impulse = Array.from({ length: 64 }, (_, t) => Float64Array.of(t === 0 ? 1 : 0));
    let prefix = 0;
    let squares = 0;
    for (const [value] of stream(factor, impulse)) {
      prefix += value;
      squares += prefix * prefix;
    }
    expect(Math.sqrt(squares) * columnNorm(factor)).toBeCloseTo(maximumErrorFactor(factor), 10);
  });

  it("ends with the factor's rounds, and keeps to one length", () => {
    const factor = squareRootFactor(2);
    const one = nextNoise(factor, INITIAL_NOISE, Float64Array.of(1, 2)).state;
    expect(() => nextNoise(factor, one, Float64Array.of(1))).toThrow(RangeError);
    const two = nextNoise(factor, one, Float64Array.of(1, 2)).state;
    expect(() => nextNoise(factor, two, Float64Array.of(1, 2))).toThrow(RangeError);
    expect(() => nextNoise(squareRootFactor(5), { round: 3, past: [] }, Float64Array.of(1))).toThrow(RangeError);
  });
});

describe("tree aggregation", () => {
  interface TreeRow {
    readonly noise_multiplier: number;
    readonly steps_per_tree: number;
    readonly trees: number;
    readonly delta: number;
    readonly height: number;
    readonly analytic_epsilon: number;
  }

  it.each(reference.tree_aggregation as TreeRow[])("$trees of $steps_per_tree steps, z = $noise_multiplier", (row) => {
    const tree = { roundsPerTree: row.steps_per_tree, trees: row.trees, noiseMultiplier: row.noise_multiplier };
    expect(treeHeight(row.steps_per_tree)).toBe(row.height);
    expect(treeConcentration(tree)).toBeCloseTo((row.height * row.trees) / (2 * row.noise_multiplier ** 2), 12);
    expect(relativeError(treeEpsilon(tree, row.delta), row.analytic_epsilon)).toBeLessThan(1e-9);
  });

  it("counts restarts", () => {
    const one = { roundsPerTree: 1000, trees: 1, noiseMultiplier: 4 };
    expect(treeEpsilon(one, 1e-5)).toBeCloseTo(3.341, 3);
    expect(treeConcentration({ ...one, trees: 3 })).toBeCloseTo(3 * treeConcentration(one), 12);
    expect(treeEpsilon({ ...one, trees: 3 }, 1e-5)).toBeGreaterThan(treeEpsilon(one, 1e-5));
  });
});
