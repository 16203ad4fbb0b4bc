import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { subsampledRdp } from "../../../../shared/privacy/accounting/subsampled-integer-orders.ts";
import {
  DEFAULT_BIAS,
  roundedNormBound,
  roundWithinNorm,
} from "../../../../shared/privacy/mechanisms/conditional-rounding.ts";
import { distributedEncoding } from "../../../../shared/privacy/mechanisms/distributed-encoding.ts";
import {
  discreteGaussianSumRdp,
  skellamRdp,
  sumOfGaussiansGap,
} from "../../../../shared/privacy/mechanisms/distributed-rdp.ts";
import { hadamard, paddedLength } from "../../../../shared/privacy/mechanisms/hadamard.ts";
import { discreteGaussianWeights } from "../../../../shared/privacy/noise/bounded-weights.ts";
import { integerLaw } from "../../../../shared/privacy/noise/integer-law.ts";
import { rationalOf } from "../../../../shared/privacy/noise/rational.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import { seededRounding } from "../../../../shared/secagg/quantise.ts";
import reference from "../../../vectors/dp_accounting.json" with { type: "json" };

const ORDERS = [...Array.from({ length: 127 }, (_, i) => i + 2), 256];

/** Canonne, Kamath and Steinke 2020, Proposition 12. */
function epsilonOf(rdp: (order: number) => number, steps: number, delta: number, orders = ORDERS): number {
  return Math.min(
    ...orders.map((order) => steps * rdp(order) + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1)),
  );
}

function binomials(n: number): number[] {
  const row = [1];
  for (let k = 0; k < n; k++) row.push((row[k] * (n - k)) / (k + 1));
  return row;
}

/** Zhu and Wang 2019, Theorem 5, with the factor 3 that the reference uses: valid of any mechanism, and loose. */
function zhuWang(rate: number, rdp: (order: number) => number): (order: number) => number {
  if (rate === 1) return rdp;
  return (order) => {
    const logs = [
      (order - 1) * Math.log1p(-rate) + Math.log(order * rate - rate + 1),
      ...binomials(order)
        .map((_, l) => {
          let logBinomial = 0;
          for (let i = 0; i < l; i++) logBinomial += Math.log(order - i) - Math.log(i + 1);
          const factor = l === 2 ? 0 : Math.log(3);
          return factor + logBinomial + (order - l) * Math.log1p(-rate) + l * Math.log(rate) + (l - 1) * rdp(l);
        })
        .slice(2),
    ];
    const most = Math.max(...logs);
    return Math.min(
      (most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0))) / (order - 1),
      rdp(order),
    );
  };
}

describe("the rounded norm's bound", () => {
  it.each(reference.rounded_l2_norm_bound)("of $scaled_l2 in $dim dimensions is the reference's", (row) => {
    expect(roundedNormBound(row.scaled_l2, row.dim, row.beta) / row.bound).toBeCloseTo(1, 9);
  });
});

describe("a sum of discrete Gaussians", () => {
  it.each(reference.ddgauss_reference_formula)("costs what the reference formula says (n = $n, q = $q)", (row) => {
    const scaled = row.clip / row.gamma;
    const sensitivity = roundedNormBound(scaled, row.dim, row.beta);
    expect((sensitivity * row.gamma) / row.inflated_l2).toBeCloseTo(1, 6);
    const deviation = row.local_stddev / row.gamma;
    expect(sumOfGaussiansGap(row.n, deviation)).toBeCloseTo(row.tau, 12);
    const rdp = discreteGaussianSumRdp({ sensitivity, shares: row.n, deviation, dimension: row.dim });
    expect(epsilonOf(zhuWang(row.q, rdp), row.steps, row.delta) / row.epsilon).toBeCloseTo(1, 6);
    // The formula that is used here is never above it.
    expect(epsilonOf(subsampledRdp(row.q, rdp), row.steps, row.delta)).toBeLessThanOrEqual(row.epsilon * (1 + 1e-9));
  });

  it.each(reference.sum_of_discrete_gaussians_exact_1d)(
    "of σ = $sigma_local, n = $n is bounded, and τ is needed",
    (row) => {
      expect(sumOfGaussiansGap(row.n, row.sigma_local) / row.tau).toBeCloseTo(1, 6);
      const rdp = discreteGaussianSumRdp({ sensitivity: 1, shares: row.n, deviation: row.sigma_local, dimension: 1 });
      // The smallest of the three bounds; the reference's is the first.
      expect(rdp(2)).toBeLessThanOrEqual(row.bound_order2 * (1 + 1e-12));
      expect(rdp(8)).toBeLessThanOrEqual(row.bound_order8 * (1 + 1e-12));
      expect(rdp(2)).toBeGreaterThanOrEqual(row.exact_rdp_shift1_order2 * (1 - 1e-9));
      expect(rdp(8)).toBeGreaterThanOrEqual(row.exact_rdp_shift1_order8 * (1 - 1e-9));
    },
  );
});

describe("Skellam noise", () => {
  it.each(reference.skellam_reference_formula)("costs what the reference formula says (n = $n, q = $q)", (row) => {
    const sensitivity = roundedNormBound(row.clip / row.gamma, row.dim, row.beta);
    const deviation = row.local_stddev / row.gamma;
    const rdp = skellamRdp({ sensitivity, shares: row.n, deviation, dimension: row.dim });
    expect(epsilonOf(zhuWang(row.q, rdp), row.steps, row.delta) / row.epsilon).toBeCloseTo(1, 6);
  });

  it.each(reference.skellam_exact_1d_rdp)("of variance $mu, moved by $shift, is bounded at order $order", (row) => {
    const rdp = skellamRdp({ sensitivity: row.shift, shares: 1, deviation: Math.sqrt(row.mu), dimension: 1 });
    expect(rdp(row.order) / row.bound).toBeCloseTo(1, 9);
    expect(rdp(row.order)).toBeGreaterThanOrEqual(row.exact_rdp);
  });
});

describe("sampling at whole orders", () => {
  it.each([2, 3, 4, 5, 6, 7, 8])("is exact for one discrete Gaussian at order %d", (order) => {
    const [rate, deviation] = [0.1, 1.5];
    const law = integerLaw(discreteGaussianWeights(rationalOf(deviation ** 2)));
    const p = (k: number): number => law.probability(k);
    // Of the discrete Gaussian, the divergence itself: it is α / 2σ² where the shift is a whole number.
    const divergence = (alpha: number): number => {
      let sum = 0;
      for (let k = -80; k <= 80; k++) if (p(k) > 1e-200) sum += p(k) * (p(k - 1) / p(k)) ** alpha;
      return Math.log(sum) / (alpha - 1);
    };
    let exact = 0;
    for (let k = -80; k <= 80; k++) {
      const mixed = (1 - rate) * p(k) + rate * p(k - 1);
      if (p(k) > 1e-200) exact += p(k) * (mixed / p(k)) ** order;
    }
    expect(subsampledRdp(rate, divergence)(order) / (Math.log(exact) / (order - 1))).toBeCloseTo(1, 9);
  });

  it("needs the noise of privacy.md 1.4 for its four targets", () => {
    const known = [
      [8, 0.9979],
      [4, 1.4864],
      [2, 2.4263],
      [1, 4.2776],
    ];
    for (const [target, z] of known) {
      const epsilon = epsilonOf(
        subsampledRdp(0.1, (order) => order / (2 * z * z)),
        100,
        1e-5,
      );
      const less = epsilonOf(
        subsampledRdp(0.1, (order) => order / (2 * (0.999 * z) ** 2)),
        100,
        1e-5,
      );
      expect(epsilon).toBeLessThan(target * 1.002);
      expect(less).toBeGreaterThan(target * 0.999);
    }
  });

  it("costs nothing more than no sampling, and that at rate 1", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 1, noNaN: true }), fc.integer({ min: 2, max: 200 }), (rate, order) => {
        const rdp = (alpha: number): number => alpha / 8;
        expect(subsampledRdp(rate, rdp)(order)).toBeLessThanOrEqual(rdp(order));
        expect(subsampledRdp(1, rdp)(order)).toBe(rdp(order));
      }),
    );
  });
});

describe("the Hadamard transform", () => {
  it("is the sum with signs of the bits that numbers share", () => {
    for (const length of [1, 2, 4, 8, 32, 64]) {
      const random = seededRandom(1, "hadamard", length);
      const values = Float32Array.from({ length }, () => random.normal());
      const expected = Array.from({ length }, (_, i) => {
        let sum = 0;
        for (let j = 0; j < length; j++) {
          let shared = i & j;
          let odd = 0;
          for (; shared > 0; shared >>= 1) odd ^= shared & 1;
          sum += odd === 1 ? -values[j] : values[j];
        }
        return sum;
      });
      hadamard(values);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i], 4);
    }
  });

  it("undoes itself but for the length", () => {
    const random = seededRandom(2, "hadamard");
    const values = Float32Array.from({ length: 4096 }, () => random.normal());
    const twice = values.slice();
    hadamard(twice);
    hadamard(twice);
    for (const [i, value] of twice.entries()) expect(value / 4096).toBeCloseTo(values[i], 4);
  });

  it("refuses other lengths", () => {
    expect(() => hadamard(new Float32Array(12))).toThrow(RangeError);
    expect([1, 2, 3, 199_210].map(paddedLength)).toEqual([1, 2, 4, 262_144]);
  });
});

describe("conditional rounding", () => {
  it("keeps within the bound, on the neighbours, and by chance as far as the fraction says", () => {
    const dimension = 256;
    const random = seededRandom(3, "values");
    const values = Float32Array.from({ length: dimension }, () => 3 * random.normal());
    const norm = Math.hypot(...values);
    const bound = roundedNormBound(norm, dimension);
    const rounding = seededRounding(seededRandom(3, "rounding"));
    const sums = new Float64Array(dimension);
    const target = new Int32Array(dimension);
    for (let i = 0; i < 4000; i++) {
      roundWithinNorm(values, bound, rounding, new Uint32Array(100), target);
      expect(Math.hypot(...target)).toBeLessThanOrEqual(bound);
      target.forEach((value, k) => {
        sums[k] += value;
        if (Math.abs(value - values[k]) >= 1) throw new Error("not a neighbour");
      });
    }
    for (const [k, sum] of sums.entries()) expect(Math.abs(sum / 4000 - values[k])).toBeLessThan(0.05);
  });

  it("refuses a vector that was not clipped", () => {
    const bound = roundedNormBound(10, 64);
    const values = new Float32Array(64).fill(5);
    expect(() =>
      roundWithinNorm(values, bound, seededRounding(seededRandom(1, "r")), new Uint32Array(64), new Int32Array(64)),
    ).toThrow(/longer than its clip norm/);
  });

  it("rejects a share of roundings that the bias allows", () => {
    expect(DEFAULT_BIAS).toBeCloseTo(0.6065306597126334, 15);
  });
});

describe("the grid", () => {
  const setting = { coordinates: 199_210, clip: 0.5, noiseMultiplier: 1, roster: 100, counted: 100 };

  it.each([
    [10, 2.28, 0.01],
    [12, 1.124, 0.001],
    [14, 1.008, 0.001],
    // The specification has 1.0005 and 1.00003: d/4 alone, without the term that β brings.
    [16, 1.00057, 0.00001],
    [18, 1.000047, 0.000001],
  ])("of %d bits inflates the clip norm by %d", (bits, inflation, tolerance) => {
    const { bound, scale } = distributedEncoding({ ...setting, bits });
    expect(Math.abs(bound / (0.5 * scale) - inflation)).toBeLessThan(tolerance);
  });

  it("holds four deviations of the sum", () => {
    const { wrapProbability } = distributedEncoding({ ...setting, bits: 16 });
    expect(wrapProbability).toBeLessThan(6.5e-5);
    expect(wrapProbability).toBeGreaterThan(6e-5);
  });

  it("gives shares that add up to the noise that was promised when as few are left as are counted on", () => {
    const grid = fc.record({
      bits: fc.integer({ min: 12, max: 20 }),
      noiseMultiplier: fc.double({ min: 0.3, max: 8, noNaN: true }),
      roster: fc.integer({ min: 17, max: 500 }),
      lost: fc.double({ min: 0, max: 0.5, noNaN: true }),
    });
    fc.assert(
      fc.property(grid, ({ bits, noiseMultiplier, roster, lost }) => {
        const counted = Math.ceil(roster * (1 - lost));
        const { bound, shareVariance } = distributedEncoding({
          ...setting,
          bits,
          noiseMultiplier,
          roster,
          counted,
        });
        expect(Number.isInteger(shareVariance)).toBe(true);
        expect(Math.sqrt(counted * shareVariance)).toBeGreaterThanOrEqual(noiseMultiplier * bound * (1 - 1e-12));
      }),
    );
  });

  it("costs 1.085 times the noise at 100 devices, 10 % drop-out, 5 % corrupted, when nobody drops", () => {
    const { bound, shareVariance } = distributedEncoding({ ...setting, bits: 16, counted: 85 });
    expect(Math.sqrt(100 * shareVariance) / bound).toBeCloseTo(1.085, 2);
  });

  it("refuses a ring that is too narrow for the devices", () => {
    expect(() => distributedEncoding({ ...setting, bits: 4, roster: 100 })).toThrow(/too narrow/);
  });
});
