import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adaptiveBound } from "../../../../shared/learning/transforms/adaptive-clip.ts";
import { gaussianEpsilon } from "../../../../shared/privacy/accounting/analytic-gaussian.ts";
import { calibratedNoise } from "../../../../shared/privacy/accounting/calibrate.ts";
import { fixedSizeGaussianRdp } from "../../../../shared/privacy/accounting/fixed-size-rdp.ts";
import {
  gaussianRdp,
  poissonGaussianCurve,
  poissonGaussianRdp,
} from "../../../../shared/privacy/accounting/gaussian-rdp.ts";
import { composedRdp, ORDERS, rdpCurve } from "../../../../shared/privacy/accounting/orders.ts";
import { laplaceRdp, randomisedResponseRdp, zcdpRdp } from "../../../../shared/privacy/accounting/other-rdp.ts";
import { classicEpsilon, rdpDelta, rdpEpsilon } from "../../../../shared/privacy/accounting/rdp-conversion.ts";
import { tuningCurve } from "../../../../shared/privacy/accounting/tuning-rdp.ts";
import { treeConcentration } from "../../../../shared/privacy/correlated/tree-aggregation.ts";
import reference from "../../../vectors/dp_accounting.json" with { type: "json" };

const poisson = (q: number, z: number, steps: number, delta: number): number =>
  rdpEpsilon(composedRdp([{ curve: poissonGaussianCurve(q, z), times: steps }]), delta).epsilon;
const near = (value: number, expected: number): number => Math.abs(value / expected - 1);

describe("the Poisson-sampled Gaussian", () => {
  it.each(reference.poisson_gaussian)(
    "$label: ε is the reference's (q $q, z $noise_multiplier, $steps steps)",
    (row) => {
      const epsilon = poisson(row.q, row.noise_multiplier, row.steps, row.delta);
      expect(near(epsilon, row.rdp_epsilon_quadrature)).toBeLessThan(1e-5);
      expect(epsilon).toBeLessThanOrEqual(row.rdp_epsilon * (1 + 1e-9));
      if (row.pld_epsilon_lower !== null) expect(epsilon).toBeGreaterThanOrEqual(row.pld_epsilon_lower);
    },
  );

  it.each(reference.rdp_curve_poisson_gaussian)("divergences are the reference's, order by order (q $q)", (row) => {
    const rdp = poissonGaussianRdp(row.q, row.noise_multiplier);
    row.orders.forEach((order, i) => {
      const expected = row.rdp_exact[i];
      if (typeof expected !== "number") return;
      // The reference's quadrature has ln A to an absolute 1e-13, which is fewer digits the nearer A is to 1.
      const tolerance = Math.max(1e-8 * expected, 1e-13 / (order - 1));
      expect(Math.abs(rdp(order) - expected), `order ${order}`).toBeLessThan(tolerance);
    });
  });

  it("keeps its digits at rates so small that the moment is 1 to a double", () => {
    // ε(2) = ln(1 + q² (e^{1/z²} − 1)), and to first order in q² divergences grow with the order.
    const [q, z] = [1e-7, 1];
    expect(near(poissonGaussianRdp(q, z)(2), q * q * Math.expm1(1))).toBeLessThan(1e-9);
    expect(near(poissonGaussianRdp(q, z)(2.000001), q * q * Math.expm1(1))).toBeLessThan(1e-4);
  });

  it("at a fraction of an order lies between its neighbours", () => {
    const rdp = poissonGaussianRdp(0.01, 0.7);
    for (let i = 1; i < ORDERS.length; i++) expect(rdp(ORDERS[i])).toBeGreaterThan(rdp(ORDERS[i - 1]) * (1 - 1e-12));
  });
});

describe("published values", () => {
  const ORDERS_2018 = Array.from({ length: 32 }, (_, i) => i + 2);
  const cells = reference.mcmahan2018_classic.table1.flatMap(({ K, C, z, delta, T, epsilon }) =>
    T.map((steps, i) => ({ K, C, z, delta, steps, epsilon: epsilon[i] })),
  );

  it("McMahan et al. 2018 print 42 ε, all of which are found again", () => {
    expect(cells).toHaveLength(42);
    for (const { K, C, z, delta, steps, epsilon } of cells) {
      const rdp = poissonGaussianRdp(C / K, z);
      const classic = classicEpsilon((order) => steps * rdp(order), ORDERS_2018, delta);
      expect(classic.toFixed(2)).toBe(epsilon.toFixed(2));
    }
  });

  it.each(reference.mcmahan2018_classic.lstm)("and $epsilon for a language model of $K users", (row) => {
    const rdp = poissonGaussianRdp(row.C / row.K, row.z);
    const classic = classicEpsilon((order) => row.T * rdp(order), ORDERS_2018, row.delta);
    expect(classic.toFixed(3)).toBe(row.epsilon.toFixed(3));
  });

  it("Opacus' 7.32911117", () => {
    expect(poisson(0.04, 1.5, 2250, 1e-5)).toBeCloseTo(7.32911117, 6);
  });

  it("120 devices a round, and not 119, bring TensorFlow Federated's tutorial to ε = 2", () => {
    const epsilon = (m: number): number => poisson(m / 3383, m / 100, 100, 1e-5);
    expect(epsilon(120)).toBeLessThanOrEqual(2);
    expect(epsilon(119)).toBeGreaterThan(2);
    expect(epsilon(120)).toBeCloseTo(1.986, 3);
  });

  it.each(reference.cross_framework.filter(({ rdp_epsilon_exact }) => rdp_epsilon_exact !== undefined))(
    "$name",
    (row) => {
      if (row.steps === undefined) return;
      expect(near(poisson(row.q, row.noise_multiplier, row.steps, row.delta), row.rdp_epsilon_exact ?? 0)).toBeLessThan(
        1e-6,
      );
    },
  );

  it.each(reference.dropout_noise_loss)("noise that is lost with devices (planned ε = $planned_epsilon)", (row) => {
    const planned = calibratedNoise((z) => poisson(row.q, z, row.steps, row.delta), row.planned_epsilon);
    expect(near(planned, row.planned_noise_multiplier)).toBeLessThan(1e-4);
    for (const [share, epsilon] of Object.entries(row.epsilon_at_dropout)) {
      const left = row.planned_noise_multiplier * Math.sqrt(1 - Number(share));
      expect(near(poisson(row.q, left, row.steps, row.delta), epsilon)).toBeLessThan(1e-4);
    }
  });
});

describe("other mechanisms", () => {
  it.each(reference.zcdp_to_epsilon)(
    "ρ = $rho zCDP at δ = $delta",
    ({ rho, delta, epsilon_rdp_orders_default, epsilon_bun_steinke }) => {
      const epsilon = rdpEpsilon(rdpCurve(zcdpRdp(rho)), delta).epsilon;
      expect(near(epsilon, epsilon_rdp_orders_default)).toBeLessThan(1e-9);
      expect(epsilon).toBeLessThanOrEqual(epsilon_bun_steinke);
    },
  );

  it.each(reference.fixed_size_wor_gaussian)("$m of $n without replacement", (row) => {
    const curve = rdpCurve(fixedSizeGaussianRdp(row.n, row.m, row.noise_multiplier));
    const { epsilon } = rdpEpsilon(composedRdp([{ curve, times: row.steps }]), row.delta);
    expect(near(epsilon, row.rdp_epsilon)).toBeLessThan(1e-5);
  });

  it.each(reference.tree_aggregation)("a tree over $steps_per_tree rounds", (row) => {
    const curve = rdpCurve(
      zcdpRdp(
        treeConcentration({
          roundsPerTree: row.steps_per_tree,
          trees: row.trees,
          noiseMultiplier: row.noise_multiplier,
        }),
      ),
    );
    expect(near(rdpEpsilon(curve, row.delta).epsilon, row.rdp_epsilon)).toBeLessThan(1e-9);
  });

  it.each(reference.laplace)("Laplace noise, $steps times", (row) => {
    const curve = rdpCurve(laplaceRdp(row.scale_over_l1_sensitivity));
    expect(
      near(rdpEpsilon(composedRdp([{ curve, times: row.steps }]), row.delta).epsilon, row.rdp_epsilon),
    ).toBeLessThan(1e-9);
  });

  it.each(reference.randomized_response_replace_one)("randomised response among $num_buckets", (row) => {
    const curve = rdpCurve(randomisedResponseRdp(row.noise_parameter, row.num_buckets));
    expect(
      near(rdpEpsilon(composedRdp([{ curve, times: row.steps }]), row.delta).epsilon, row.rdp_epsilon),
    ).toBeLessThan(1e-9);
  });

  it.each(reference.repeat_and_select_tuning)("the best of $mean_repetitions runs (shape $shape)", (row) => {
    const run = composedRdp([{ curve: poissonGaussianCurve(row.q, row.noise_multiplier), times: row.steps }]);
    expect(near(rdpEpsilon(run, row.delta).epsilon, row.single_run_epsilon)).toBeLessThan(1e-4);
    const { epsilon } = rdpEpsilon(tuningCurve(run, row.shape, row.mean_repetitions), row.delta);
    // The reference is an upper bound, up to 4.6e-5 high.
    expect(epsilon).toBeLessThanOrEqual(row.rdp_epsilon * (1 + 1e-9));
    expect(near(epsilon, row.rdp_epsilon)).toBeLessThan(1e-4);
  });

  it("the best of ten runs of TF Privacy's tutorial costs 5.05, 4.29 or 5.75, as the number of runs is drawn", () => {
    const run = composedRdp([{ curve: poissonGaussianCurve(256 / 60_000, 1.1), times: 14_062 }]);
    const cost = [1, 0, Number.POSITIVE_INFINITY].map((shape) => rdpEpsilon(tuningCurve(run, shape, 10), 1e-5).epsilon);
    for (const [i, expected] of [5.05, 4.29, 5.75].entries()) expect(cost[i]).toBeCloseTo(expected, 2);
  });

  it.each(reference.adaptive_clip_noise_split.filter(({ value_noise_multiplier }) => value_noise_multiplier !== null))(
    "adaptive clipping with $clients_per_round devices leaves the update its noise",
    (row) => {
      const z = row.noise_multiplier_total;
      const split = z * adaptiveBound(1, z / (2 * row.clipped_count_stddev));
      expect(near(split, Number(row.value_noise_multiplier))).toBeLessThan(1e-9);
    },
  );
});

describe("calibration", () => {
  it.each(reference.calibrated_noise)("to ε = $target_epsilon over $steps steps at q = $q", (row) => {
    const epsilonOf = (z: number): number => poisson(row.q, z, row.steps, row.delta);
    const z = calibratedNoise(epsilonOf, row.target_epsilon);
    expect(near(z, row.rdp_noise_multiplier_exact ?? row.rdp_noise_multiplier)).toBeLessThan(1e-5);
    expect(epsilonOf(z)).toBeLessThanOrEqual(row.target_epsilon);
  });

  it("says when no noise reaches the target", () => {
    expect(() => calibratedNoise(() => 1, 0.5)).toThrow(/no noise reaches/);
  });
});

describe("ε", () => {
  const rate = fc.double({ min: 1e-3, max: 1, noNaN: true });
  const noise = fc.double({ min: 0.4, max: 8, noNaN: true });
  const steps = fc.integer({ min: 1, max: 2000 });

  it("grows with the rate, the steps and 1/δ, and falls with the noise", () => {
    fc.assert(
      fc.property(rate, noise, steps, (q, z, t) => {
        const epsilon = poisson(q, z, t, 1e-5);
        expect(poisson(q * 0.9, z, t, 1e-5)).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
        expect(poisson(q, z * 1.1, t, 1e-5)).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
        expect(poisson(q, z, t + 1, 1e-5)).toBeGreaterThanOrEqual(epsilon * (1 - 1e-9));
        expect(poisson(q, z, t, 1e-6)).toBeGreaterThanOrEqual(epsilon * (1 - 1e-9));
      }),
      { numRuns: 25 },
    );
  });

  it("does not depend on the order of composition, and a count is so many releases", () => {
    fc.assert(
      fc.property(rate, noise, rate, noise, (q, z, p, y) => {
        const a = poissonGaussianCurve(q, z);
        const b = poissonGaussianCurve(p, y);
        const one = composedRdp([
          { curve: a, times: 3 },
          { curve: b, times: 2 },
        ]);
        const other = composedRdp([b, a, a, b, a].map((curve) => ({ curve, times: 1 })));
        for (const [i, value] of one.entries()) expect(near(value, other[i])).toBeLessThan(1e-12);
      }),
      { numRuns: 20 },
    );
  });

  it("of one release without sampling is never below the exact one, and at most 12 % above", () => {
    for (const z of [0.5, 1, 2, 5, 10]) {
      const epsilon = rdpEpsilon(rdpCurve(gaussianRdp(z)), 1e-5).epsilon;
      expect(epsilon).toBeGreaterThanOrEqual(gaussianEpsilon(z, 1e-5));
      expect(epsilon).toBeLessThanOrEqual(1.12 * gaussianEpsilon(z, 1e-5));
    }
  });

  it("and δ belong together", () => {
    const curve = composedRdp([{ curve: poissonGaussianCurve(0.1, 1), times: 100 }]);
    const { epsilon } = rdpEpsilon(curve, 1e-5);
    expect(near(rdpDelta(curve, epsilon), 1e-5)).toBeLessThan(1e-6);
  });

  it("does not exist without noise", () => {
    expect(() => poissonGaussianRdp(0.1, 0)).toThrow(/without noise there is no ε/);
  });
});
