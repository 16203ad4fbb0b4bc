import { gaussianDelta, gaussianEpsilon } from "../analytic-gaussian.ts";
import type { LossDistribution, Pld } from "./pld.ts";

/** Masses come out of a Fourier transform with errors of about 1e-15, so that a smaller δ would rest on noise. */
const LEAST_DELTA = 1e-12;

/**
 * The smallest ε ≥ 0 for which the mechanism is shown to be (ε, δ)-differentially private; ∞ where an infinite loss
 * alone is more probable than δ.
 *
 * @throws {RangeError} unless 1e-12 ≤ δ < 1.
 */
export function pldEpsilon(pld: Pld, delta: number): number {
  if (!(delta >= LEAST_DELTA && delta < 1)) {
    throw new RangeError(`a privacy loss distribution gives ε for a δ from ${LEAST_DELTA} to 1, not for ${delta}`);
  }
  if (pld.kind === "gaussian") return gaussianEpsilon(pld.noiseMultiplier, delta);
  return Math.max(...pld.directions.map((direction) => directionEpsilon(direction, delta)));
}

/**
 * The smallest δ for which the mechanism is shown to be (ε, δ)-differentially private. Below about 1e-12 it is rounding
 * noise.
 *
 * @throws {RangeError} unless ε ≥ 0.
 */
export function pldDelta(pld: Pld, epsilon: number): number {
  if (!(epsilon >= 0)) throw new RangeError(`ε must be at least 0, not ${epsilon}`);
  if (pld.kind === "gaussian") return gaussianDelta(epsilon, pld.noiseMultiplier);
  return Math.max(...pld.directions.map((direction) => directionDelta(direction, epsilon)));
}

/** Walks down from the largest loss: between two losses δ(ε) = Pr_P[loss > ε] − e^ε·Pr_Q[loss > ε]. */
function directionEpsilon({ interval, first, masses, infinite }: LossDistribution, delta: number): number {
  if (infinite > delta) return Number.POSITIVE_INFINITY;
  const decay = Math.exp(-interval);
  let above = infinite;
  // e^{loss}·Pr_Q[loss or more], so that no e^ε overflows.
  let otherAbove = 0;
  for (let i = masses.length - 1; i >= 0 && first + i > 0; i--) {
    above += masses[i];
    otherAbove = otherAbove * decay + masses[i];
    if (above - otherAbove * decay > delta) {
      return Math.max(0, (first + i) * interval + Math.log((above - delta) / otherAbove));
    }
  }
  return 0;
}

function directionDelta({ interval, first, masses, infinite }: LossDistribution, epsilon: number): number {
  let delta = infinite;
  for (let i = masses.length - 1; i >= 0; i--) {
    const excess = epsilon - (first + i) * interval;
    if (excess >= 0) break;
    delta -= masses[i] * Math.expm1(excess);
  }
  return Math.min(1, Math.max(0, delta));
}
