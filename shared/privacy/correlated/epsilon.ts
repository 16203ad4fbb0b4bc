import { gaussianEpsilon, gaussianNoiseMultiplier } from "../accounting/analytic-gaussian.ts";
import { type Participation, sensitivity } from "./sensitivity.ts";
import type { ToeplitzFactor } from "./toeplitz.ts";

/**
 * ε of all rounds together: releasing every round's C⁻¹z-noised sum tells no more than Cx + z, one Gaussian mechanism
 * on the contributions x of all rounds (Denisov et al. 2022, arXiv 2202.08312, also for contributions that are chosen
 * adaptively). No sampling is assumed, so nothing is amplified; a device's contributions are replaced by zeros.
 *
 * @param noise The fresh noise's standard deviation over the clip norm.
 */
export function correlatedNoiseEpsilon(
  factor: ToeplitzFactor,
  participation: Participation,
  noise: number,
  delta: number,
): number {
  return gaussianEpsilon(noise / sensitivity(factor, participation), delta);
}

/** The least standard deviation of the fresh noise, over the clip norm, with which ε and δ are met. */
export function correlatedNoiseFor(
  factor: ToeplitzFactor,
  participation: Participation,
  target: { readonly epsilon: number; readonly delta: number },
): number {
  return gaussianNoiseMultiplier(target) * sensitivity(factor, participation);
}
