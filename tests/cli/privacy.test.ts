import { describe, expect, it } from "vitest";
import reference from "../vectors/dp_accounting.json" with { type: "json" };
import { murmur } from "./memory-edge.ts";

interface Answer {
  readonly adjacency: string;
  readonly rdp_epsilon: number | null;
  readonly pld_epsilon: number | null;
  readonly unamplified_epsilon: number | null;
  readonly pld_accountant: string | null;
}

async function account(events: readonly unknown[]): Promise<Answer[]> {
  const { exitCode, stdout, stderr } = await murmur(["privacy", "account"], { stdin: JSON.stringify(events) });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
}

const near = (value: number | null, expected: number): number => Math.abs((value ?? Number.NaN) / expected - 1);
/** Within a thousandth, or two thousandths in all: what is allowed to a grid of losses. */
const closeTo = (value: number | null, expected: number): boolean =>
  Math.abs((value ?? Number.NaN) - expected) <= Math.max(1e-3 * expected, 2e-3);

/** Every section of the reference values, and what holds the program to it. One that is new fails until it is listed. */
const SECTIONS: Readonly<Record<keyof typeof reference, string>> = {
  meta: "words",
  fields: "words",
  poisson_gaussian: "here; tests/shared/privacy/accounting/rdp.test.ts, pld/",
  calibrated_noise: "here; rdp.test.ts, pld/",
  mcmahan2018_classic: "rdp.test.ts",
  rdp_curve_poisson_gaussian: "rdp.test.ts",
  analytic_gaussian: "tests/shared/privacy/accounting/analytic-gaussian.test.ts",
  zcdp_to_epsilon: "here; rdp.test.ts",
  fixed_size_wor_gaussian: "here; rdp.test.ts",
  poisson_gaussian_replace_one: "here; pld/",
  tree_aggregation: "here; rdp.test.ts, tests/shared/privacy/correlated/",
  laplace: "here; rdp.test.ts, pld/",
  randomized_response_replace_one: "here; rdp.test.ts, pld/",
  discrete_gaussian_univariate_pld: "here; pld/",
  discrete_gaussian_pmf: "tests/shared/privacy/noise/integer-law.test.ts",
  rounded_l2_norm_bound: "tests/shared/privacy/mechanisms/distributed.test.ts",
  ddgauss_reference_formula: "distributed.test.ts; here without sampling",
  skellam_reference_formula: "distributed.test.ts",
  skellam_exact_1d_rdp: "distributed.test.ts",
  sum_of_discrete_gaussians_exact_1d: "distributed.test.ts",
  adaptive_clip_noise_split: "rdp.test.ts",
  repeat_and_select_tuning: "here; rdp.test.ts",
  cross_framework: "rdp.test.ts, pld/",
  pld_discretisation_convergence: "pld/",
  truncated_poisson_gaussian: "here; pld/",
  one_run_audit: "tests/shared/privacy/audit/",
  one_run_audit_pvalue: "tests/shared/privacy/audit/",
  clopper_pearson_audit: "tests/shared/privacy/audit/",
  matrix_factorisation_sqrt_toeplitz: "tests/shared/privacy/correlated/",
  banded_mf_no_amplification: "here; tests/shared/privacy/correlated/",
  dropout_noise_loss: "rdp.test.ts",
};

describe("privacy account", () => {
  it("is held to every section of the reference", () => {
    expect(Object.keys(SECTIONS).sort()).toEqual(Object.keys(reference).sort());
  });

  it("answers the reference's own rows, as they are, in their order", async () => {
    const rows = reference.poisson_gaussian;
    const answers = await account(rows);
    expect(answers).toHaveLength(rows.length);
    rows.forEach((row, i) => {
      const { rdp_epsilon, pld_epsilon, unamplified_epsilon, adjacency } = answers[i];
      expect(near(rdp_epsilon, row.rdp_epsilon_quadrature), row.label).toBeLessThan(1e-5);
      expect(closeTo(pld_epsilon, row.pld_epsilon), row.label).toBe(true);
      expect(pld_epsilon ?? 0).toBeLessThanOrEqual((rdp_epsilon ?? 0) + 1e-6);
      expect(unamplified_epsilon ?? 0).toBeGreaterThanOrEqual((pld_epsilon ?? 0) * (1 - 1e-9));
      expect(adjacency).toBe("add-or-remove-one");
    });
  }, 120_000);

  it("knows the other kinds", async () => {
    const kinds: [kind: string, rows: readonly object[], rdp: string | null, tight: string | null][] = [
      ["fixed-size-gaussian", reference.fixed_size_wor_gaussian, "rdp_epsilon", null],
      ["replace-one-gaussian", reference.poisson_gaussian_replace_one, null, "pld_epsilon_replace_one"],
      ["tree", reference.tree_aggregation, "rdp_epsilon", "analytic_epsilon"],
      ["laplace", reference.laplace, "rdp_epsilon", "pld_epsilon"],
      ["randomised-response", reference.randomized_response_replace_one, "rdp_epsilon", "pld_epsilon"],
      ["discrete-gaussian", reference.discrete_gaussian_univariate_pld, null, "pld_epsilon"],
      ["capped-poisson-gaussian", reference.truncated_poisson_gaussian, null, "pld_epsilon"],
      ["zcdp", reference.zcdp_to_epsilon, "epsilon_rdp_orders_default", null],
    ];
    for (const [kind, rows, rdp, tight] of kinds) {
      const answers = await account(rows.map((row) => ({ ...row, kind })));
      rows.forEach((row, i) => {
        const value = (key: string): number => (row as Record<string, number>)[key];
        if (rdp !== null) expect(near(answers[i].rdp_epsilon, value(rdp)), kind).toBeLessThan(1e-5);
        if (tight !== null) expect(closeTo(answers[i].pld_epsilon, value(tight)), kind).toBe(true);
      });
    }
    const correlated = await account(
      reference.banded_mf_no_amplification.map((row) => ({
        kind: "correlated",
        rounds: row.n,
        bands: row.bands_and_min_separation,
        participations: row.max_participations,
        separation: row.bands_and_min_separation,
        noise_multiplier: row.noise_multiplier,
        delta: row.delta,
      })),
    );
    // Bands that are not normalised have a norm of their own: the first row has one band, of norm 1.
    expect(near(correlated[0].pld_epsilon, reference.banded_mf_no_amplification[0].epsilon)).toBeLessThan(1e-6);
    const [tuned] = reference.repeat_and_select_tuning;
    const event = {
      kind: "poisson-gaussian",
      q: tuned.q,
      noise_multiplier: tuned.noise_multiplier,
      steps: tuned.steps,
    };
    const [best] = await account([
      { kind: "tuning", shape: tuned.shape, mean_repetitions: tuned.mean_repetitions, delta: tuned.delta, event },
    ]);
    expect(near(best.rdp_epsilon, tuned.rdp_epsilon)).toBeLessThan(1e-4);
    const [row] = reference.ddgauss_reference_formula;
    const [distributed] = await account([
      {
        kind: "distributed-gaussian",
        sensitivity: row.inflated_l2 / row.gamma,
        shares: row.n,
        local_stddev: row.local_stddev / row.gamma,
        dim: row.dim,
        delta: row.delta,
      },
    ]);
    expect(distributed.rdp_epsilon ?? 0).toBeLessThanOrEqual(row.epsilon * (1 + 1e-6));
    expect(near(distributed.rdp_epsilon, row.epsilon)).toBeLessThan(1e-3);
    expect(distributed.pld_epsilon).toBeNull();
    expect(distributed.adjacency).toBe("zero-out");
  }, 120_000);

  it.each([
    { kind: "poisson-gaussian", q: 0.1, noise_multiplier: 1 },
    { kind: "gaussian", noise_multiplier: 3 },
    { kind: "replace-one-gaussian", q: 0.1, noise_multiplier: 2 },
    { kind: "fixed-size-gaussian", n: 1000, m: 10, noise_multiplier: 2 },
    { kind: "capped-poisson-gaussian", dataset_size: 1000, q: 0.05, cap: 80, noise_multiplier: 1 },
    { kind: "discrete-gaussian", sigma: 3, q: 0.5 },
    { kind: "distributed-gaussian", sensitivity: 100, shares: 50, local_stddev: 40, dim: 1024, q: 0.1 },
    { kind: "distributed-skellam", sensitivity: 100, shares: 50, local_stddev: 40, dim: 1024, q: 0.1 },
    { kind: "laplace", scale_over_l1_sensitivity: 10 },
    { kind: "randomised-response", noise_parameter: 0.5, num_buckets: 3 },
    { kind: "zcdp", rho: 0.02 },
  ])("of $kind ten times is more than once, and less than ten times as much", async (event) => {
    const [once, often] = await account([
      { ...event, delta: 1e-5, steps: 1 },
      { ...event, delta: 1e-5, steps: 10 },
    ]);
    for (const key of ["rdp_epsilon", "pld_epsilon"] as const) {
      const [one, ten] = [once[key], often[key]];
      if (one === null || ten === null) continue;
      expect(ten).toBeGreaterThan(one * 1.05);
      expect(ten).toBeLessThan(one * 11);
    }
  });

  it("composes, in any order", async () => {
    const parts = [
      { kind: "poisson-gaussian", q: 0.1, noise_multiplier: 1, steps: 10 },
      { kind: "gaussian", noise_multiplier: 4, steps: 2 },
      { kind: "laplace", scale_over_l1_sensitivity: 20, steps: 3 },
    ];
    const [one, other] = await account([
      { kind: "composed", delta: 1e-5, events: parts },
      { kind: "composed", delta: 1e-5, events: [...parts].reverse() },
    ]);
    expect(near(one.rdp_epsilon, other.rdp_epsilon ?? 0)).toBeLessThan(1e-9);
    expect(near(one.pld_epsilon, other.pld_epsilon ?? 0)).toBeLessThan(1e-6);
  });

  it.each<[string, unknown, RegExp]>([
    [
      "no noise",
      [{ q: 0.1, noise_multiplier: 0, steps: 1, delta: 1e-5 }],
      /Element 0: noise_multiplier: must be more than 0, got 0/,
    ],
    ["no δ", [{ q: 0.1, noise_multiplier: 1, steps: 1 }], /Element 0: delta: expected a number, got nothing/],
    [
      "a rate beyond 1",
      [
        { q: 0.1, noise_multiplier: 1, delta: 1e-5 },
        { q: 2, noise_multiplier: 1, delta: 1e-5 },
      ],
      /Element 1: q: must be at most 1, got 2/,
    ],
    ["half a step", [{ q: 0.1, noise_multiplier: 1, steps: 0.5, delta: 1e-5 }], /Element 0: steps/],
    ["a kind that is none", [{ kind: "magic", delta: 1e-5 }], /Element 0: kind/],
    ["no array", { q: 0.1 }, /must be a JSON array/],
    [
      "kinds that do not add up",
      [
        {
          kind: "composed",
          delta: 1e-5,
          events: [
            { kind: "laplace", scale_over_l1_sensitivity: 1 },
            { kind: "tree", noise_multiplier: 1, steps_per_tree: 4 },
          ],
        },
      ],
      /adjacency do not compose/,
    ],
  ])("says what is wrong: %s", async (_what, document, message) => {
    const { exitCode, stdout, stderr } = await murmur(["privacy", "account"], { stdin: JSON.stringify(document) });
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
  });
});

describe("privacy calibrate", () => {
  it("finds the reference's noise, which meets its target", async () => {
    const rows = reference.calibrated_noise.slice(0, 4);
    const { exitCode, stdout } = await murmur(["privacy", "calibrate"], { stdin: JSON.stringify(rows) });
    expect(exitCode).toBe(0);
    const answers: { rdp_noise_multiplier: number; pld_noise_multiplier: number }[] = JSON.parse(stdout);
    rows.forEach((row, i) => {
      expect(
        near(answers[i].rdp_noise_multiplier, row.rdp_noise_multiplier_exact ?? row.rdp_noise_multiplier),
      ).toBeLessThan(1e-5);
      expect(near(answers[i].pld_noise_multiplier, row.pld_noise_multiplier)).toBeLessThan(2e-3);
    });
    const [met] = await account([{ ...rows[0], noise_multiplier: answers[0].pld_noise_multiplier }]);
    expect(met.pld_epsilon ?? 9).toBeLessThanOrEqual(rows[0].target_epsilon);
  }, 120_000);
});
