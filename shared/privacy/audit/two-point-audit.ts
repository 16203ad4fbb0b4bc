import { normalQuantile } from "../../random/normal-quantile.ts";
import { gaussianEpsilon } from "../accounting/analytic-gaussian.ts";
import { lowerBound, upperBound } from "./clopper-pearson.ts";

/** How often a test that was fixed in advance said "in", of so many trials each with the canary in and out. */
export interface TestOutcomes {
  readonly truePositives: number;
  readonly trialsIn: number;
  readonly falsePositives: number;
  readonly trialsOut: number;
}

/**
 * A lower bound on ε from any test: ln((TPR_low − δ)/FPR_high), since TPR ≤ e^ε·FPR + δ for every (ε, δ)-private
 * mechanism. 0 where the outcomes show nothing.
 *
 * @param error of each of the two Clopper–Pearson bounds.
 */
export function twoPointEpsilon(outcomes: TestOutcomes, delta: number, error: number): number {
  const { truePositives, trialsIn, falsePositives, trialsOut } = outcomes;
  const truePositiveRate = lowerBound(truePositives, trialsIn, error);
  const falsePositiveRate = upperBound(falsePositives, trialsOut, error);
  return Math.max(0, Math.log(Math.max(0, truePositiveRate - delta) / falsePositiveRate));
}

/**
 * A lower bound on μ, if the mechanism's trade-off is a Gaussian's: Φ⁻¹(1 − FPR_high) − Φ⁻¹(FNR_high) (Nasr et al. 2023,
 * arXiv 2302.07956). It says nothing of a mechanism of another kind, an amplified one for instance.
 */
export function gaussianAuditMu(outcomes: TestOutcomes, error: number): number {
  const { truePositives, trialsIn, falsePositives, trialsOut } = outcomes;
  const falsePositiveRate = upperBound(falsePositives, trialsOut, error);
  const falseNegativeRate = upperBound(trialsIn - truePositives, trialsIn, error);
  if (falsePositiveRate === 1 || falseNegativeRate === 1) return 0;
  return Math.max(0, -normalQuantile(falsePositiveRate) - normalQuantile(falseNegativeRate));
}

/** The same as a lower bound on ε at δ, by the analytic Gaussian with noise multiplier 1/μ. */
export function gaussianAuditEpsilon(outcomes: TestOutcomes, delta: number, error: number): number {
  const mu = gaussianAuditMu(outcomes, error);
  return mu === 0 ? 0 : gaussianEpsilon(1 / mu, delta);
}
