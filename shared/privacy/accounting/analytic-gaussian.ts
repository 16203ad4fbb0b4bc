import { gaussianFactor, normalTail, scaledNormalTail } from "./normal-tail.ts";

/**
 * The exact privacy curve of the Gaussian mechanism: Balle and Wang, "Improving the Gaussian mechanism for differential
 * privacy", ICML 2018, Theorem 8. The noise multiplier z is the noise's standard deviation over the L2 sensitivity, and
 * T releases with it are one with z/√T.
 *
 * With μ = 1/z and u = ε/μ − μ/2:  δ(ε) = Φ̄(u) − e^ε Φ̄(u + μ).
 */

/**
 * δ(ε): the smallest δ for which a Gaussian mechanism is (ε, δ)-differentially private.
 *
 * @param epsilon Any finite number: below 0 it is the curve's other half, 1 − e^ε + e^ε δ(−ε).
 * @throws {RangeError} unless the noise multiplier is positive.
 */
export function gaussianDelta(epsilon: number, noiseMultiplier: number): number {
  requirePositive("noise multiplier", noiseMultiplier);
  if (Number.isNaN(epsilon)) throw new RangeError("ε is not a number");
  if (noiseMultiplier === Number.POSITIVE_INFINITY) return epsilon >= 0 ? 0 : -Math.expm1(epsilon);
  if (epsilon < 0) return -Math.expm1(epsilon) + Math.exp(epsilon) * gaussianDelta(-epsilon, noiseMultiplier);
  const mu = 1 / noiseMultiplier;
  const u = epsilon * noiseMultiplier - mu / 2;
  // e^ε = e^{uμ + μ²/2}, hence e^ε e^{−(u+μ)²/2} = e^{−u²/2}: the common factor is taken out, and no e^ε overflows.
  const far = scaledNormalTail(u + mu);
  if (u < 0) return normalTail(u) - gaussianFactor(u) * far;
  return gaussianFactor(u) * (scaledNormalTail(u) - far);
}

/**
 * ε(δ): the smallest ε ≥ 0 for which a Gaussian mechanism is (ε, δ)-differentially private, within a few units in the
 * last place and never rounded down.
 *
 * @throws {RangeError} unless 0 < δ < 1 and the noise multiplier is positive.
 */
export function gaussianEpsilon(noiseMultiplier: number, delta: number): number {
  requirePositive("noise multiplier", noiseMultiplier);
  requireDelta(delta);
  const suffices = (epsilon: number) => gaussianDelta(epsilon, noiseMultiplier) <= delta;
  if (suffices(0)) return 0;
  let high = 1;
  while (!suffices(high)) high *= 2;
  return smallestThat(suffices, 0, high);
}

/**
 * The smallest noise multiplier with which a Gaussian mechanism is (ε, δ)-differentially private, never rounded down.
 *
 * @throws {RangeError} unless ε ≥ 0 and 0 < δ < 1.
 */
export function gaussianNoiseMultiplier(target: { readonly epsilon: number; readonly delta: number }): number {
  const { epsilon, delta } = target;
  if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY))
    throw new RangeError(`ε must be at least 0, not ${epsilon}`);
  requireDelta(delta);
  const suffices = (noiseMultiplier: number) => gaussianDelta(epsilon, noiseMultiplier) <= delta;
  let high = 1;
  while (!suffices(high)) high *= 2;
  let low = high / 2;
  while (suffices(low)) {
    high = low;
    low /= 2;
  }
  return smallestThat(suffices, low, high);
}

/** The least double of (low, high] that fulfils a condition which, once fulfilled, stays so. */
function smallestThat(condition: (value: number) => boolean, low: number, high: number): number {
  for (;;) {
    const middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) return high;
    if (condition(middle)) high = middle;
    else low = middle;
  }
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`the ${what} must be positive, not ${value}`);
}

function requireDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`δ must be between 0 and 1, not ${delta}`);
}
