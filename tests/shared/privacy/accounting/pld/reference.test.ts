import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pldNoiseMultiplier } from "../../../../../shared/privacy/accounting/pld/calibrate.ts";
import { composed } from "../../../../../shared/privacy/accounting/pld/compose.ts";
import { pldDelta, pldEpsilon } from "../../../../../shared/privacy/accounting/pld/epsilon.ts";
import {
  cappedPoissonGaussianPld,
  discreteGaussianPld,
  laplacePld,
  poissonGaussianPld,
  randomisedResponsePld,
  replaceOneGaussianPld,
} from "../../../../../shared/privacy/accounting/pld/mechanisms.ts";

const reference = JSON.parse(
  readFileSync(new URL("../../../../vectors/dp_accounting.json", import.meta.url), "utf8"),
) as Record<string, Row[]>;

// biome-ignore lint/suspicious/noExplicitAny: rows of as many shapes as the file has sections.
type Row = Record<string, any>;

const relativeError = (actual: number, expected: number) => Math.abs(actual / expected - 1);

/** What the reference asks of ε: within 1e-3 of it, or 2e-3 where it is small. */
const allowed = (epsilon: number) => Math.max(1e-3 * epsilon, 2e-3);

const poisson = ({ q, noise_multiplier, steps }: Row, interval?: number) =>
  composed(
    poissonGaussianPld({
      sampling: q,
      noiseMultiplier: noise_multiplier,
      ...(interval === undefined ? {} : { interval }),
    }),
    steps,
  );

describe("the reference's privacy loss distributions", () => {
  it("are all here", () => {
    expect(reference.poisson_gaussian).toHaveLength(24);
  });

  it.each(reference.poisson_gaussian)("q = $q, z = $noise_multiplier, $steps steps, δ = $delta", (row) => {
    const pld = poisson(row);
    const epsilon = pldEpsilon(pld, row.delta);
    expect(Math.abs(epsilon - row.pld_epsilon)).toBeLessThan(allowed(row.pld_epsilon));
    if (row.pld_epsilon_lower !== null) expect(epsilon).toBeGreaterThanOrEqual(row.pld_epsilon_lower - 1e-6);
    expect(epsilon).toBeLessThanOrEqual(row.rdp_epsilon_quadrature + 1e-6);
    // The mechanism is the same one, so far more digits agree than the discretisation's error would allow.
    expect(Math.abs(epsilon - row.pld_epsilon)).toBeLessThan(3e-6);
    expect(Math.abs(pldDelta(pld, 1) - row.delta_at_1.pld)).toBeLessThan(1e-8);
    const half = row.delta_at_half;
    expect(relativeError(pldDelta(pld, half.epsilon), half.pld)).toBeLessThan(1e-6);
  });

  it.each(reference.cross_framework)("$name", (row) => {
    const pld = poisson(row);
    expect(relativeError(pldEpsilon(pld, row.delta), row.pld_epsilon)).toBeLessThan(1e-6);
    expect(relativeError(pldDelta(pld, 1), row.pld_delta_at_eps1)).toBeLessThan(1e-6);
  });

  it.each(reference.pld_discretisation_convergence)("on coarser and finer grids: q = $q, $steps steps", (row) => {
    const fine = row["pld_dx_2e-05"];
    for (const [interval, expected] of [
      [1e-3, row["pld_dx_0.001"]],
      [1e-4, row["pld_dx_0.0001"]],
    ]) {
      const epsilon = pldEpsilon(poisson(row, interval), row.delta);
      expect(relativeError(epsilon, expected)).toBeLessThan(1e-6);
      expect(epsilon).toBeGreaterThanOrEqual(fine - 1e-6);
      expect(relativeError(epsilon, fine)).toBeLessThan(2e-2);
    }
  });

  it.each(reference.truncated_poisson_gaussian)("cohorts capped at $cap of $dataset_size", (row) => {
    const pld = cappedPoissonGaussianPld({
      population: row.dataset_size,
      sampling: row.q,
      cap: row.cap,
      noiseMultiplier: row.noise_multiplier,
    });
    const epsilon = pldEpsilon(composed(pld, row.steps), row.delta);
    expect(relativeError(epsilon, row.pld_epsilon)).toBeLessThan(1e-6);
    expect(epsilon).toBeGreaterThan(row.untruncated_pld_epsilon);
  });

  it("a cap at the mean costs what the paper's analysis says", () => {
    const pld = cappedPoissonGaussianPld({ population: 1000, sampling: 0.05, cap: 50, noiseMultiplier: 1 });
    expect(pldEpsilon(composed(pld, 100), 1e-5)).toBeCloseTo(14.39, 2);
  });

  it.each(reference.poisson_gaussian_replace_one)("one record replaced: q = $q, $steps steps", (row) => {
    const pld = replaceOneGaussianPld({ sampling: row.q, noiseMultiplier: row.noise_multiplier });
    expect(relativeError(pldEpsilon(composed(pld, row.steps), row.delta), row.pld_epsilon_replace_one)).toBeLessThan(
      1e-6,
    );
  });

  it("one record replaced, the specification's other figure", () => {
    const pld = replaceOneGaussianPld({ sampling: 0.1, noiseMultiplier: 1 });
    expect(pldEpsilon(composed(pld, 100), 1e-5)).toBeCloseTo(10.52, 2);
  });

  it.each(reference.laplace)("Laplace of scale $scale_over_l1_sensitivity, $steps times", (row) => {
    const pld = composed(laplacePld({ scale: row.scale_over_l1_sensitivity }), row.steps);
    expect(relativeError(pldEpsilon(pld, row.delta), row.pld_epsilon)).toBeLessThan(1e-6);
  });

  it.each(reference.randomized_response_replace_one)("randomised response, $steps times", (row) => {
    const pld = composed(randomisedResponsePld({ noise: row.noise_parameter, values: row.num_buckets }), row.steps);
    expect(Math.abs(pldEpsilon(pld, row.delta) - row.pld_epsilon)).toBeLessThan(2e-5);
  });

  it.each(reference.discrete_gaussian_univariate_pld)("discrete Gaussian of σ = $sigma, q = $q", (row) => {
    const { sigma, sensitivity, q } = row;
    const pld = composed(discreteGaussianPld({ sigma, sensitivity, sampling: q }), row.steps);
    expect(relativeError(pldEpsilon(pld, row.delta), row.pld_epsilon)).toBeLessThan(1e-8);
  });
});

describe("the noise that a target needs", () => {
  it.each(reference.calibrated_noise)("ε = $target_epsilon, q = $q, $steps steps", (row) => {
    const target = { sampling: row.q, steps: row.steps, epsilon: row.target_epsilon, delta: row.delta };
    const noiseMultiplier = pldNoiseMultiplier(target);
    expect(relativeError(noiseMultiplier, row.pld_noise_multiplier)).toBeLessThan(5e-5);
    const epsilon = pldEpsilon(poisson({ ...row, noise_multiplier: noiseMultiplier }), row.delta);
    expect(epsilon).toBeLessThanOrEqual(row.target_epsilon);
    expect(relativeError(epsilon, row.target_epsilon)).toBeLessThan(1e-4);
  });

  it("is hardly any where δ alone covers being drawn at all", () => {
    expect(pldNoiseMultiplier({ sampling: 1e-6, steps: 5, epsilon: 1, delta: 1e-5 })).toBe(0.01);
  });

  it("is asked for with a target that can be met", () => {
    expect(() => pldNoiseMultiplier({ sampling: 0.1, steps: 5, epsilon: 0, delta: 1e-5 })).toThrow(RangeError);
    expect(() => pldNoiseMultiplier({ sampling: 0.1, steps: 5, epsilon: 1, delta: 1e-13 })).toThrow(RangeError);
  });
});
