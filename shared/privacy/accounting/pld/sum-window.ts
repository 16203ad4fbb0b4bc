import type { LossDistribution, Repeated } from "./pld.ts";

/** The mass that may lie past either end of a window. */
export const TAIL_MASS = 1e-15;

/**
 * The places of the grid between which a sum of independent losses lies, but for {@link TAIL_MASS} at either end:
 * Chernoff's bound Pr[S ≥ x] ≤ e^{−λx}·Π E[e^{λL}], for the best λ of a few (every λ gives a bound), and no further than
 * the sum's support.
 */
export function sumWindow(parts: readonly Repeated<LossDistribution>[]): {
  readonly first: number;
  readonly last: number;
} {
  let first = 0;
  let last = 0;
  let variance = 0;
  for (const { pld, times } of parts) {
    first += times * pld.first;
    last += times * (pld.first + pld.masses.length - 1);
    variance += times * varianceInSteps(pld);
  }
  // Were the sum normal, this λ would be the best one. All is in steps of the grid.
  const normal = Math.sqrt((-2 * Math.log(TAIL_MASS)) / variance);
  for (const factor of FACTORS) {
    const lambda = normal * factor;
    last = Math.min(last, Math.ceil((logMoment(parts, lambda) - Math.log(TAIL_MASS)) / lambda));
    first = Math.max(first, Math.floor((Math.log(TAIL_MASS) - logMoment(parts, -lambda)) / lambda));
  }
  return { first, last };
}

const FACTORS = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5];

function varianceInSteps({ masses }: LossDistribution): number {
  let mass = 0;
  let first = 0;
  let second = 0;
  for (let i = 0; i < masses.length; i++) {
    mass += masses[i];
    first += masses[i] * i;
  }
  const mean = first / mass;
  for (let i = 0; i < masses.length; i++) second += masses[i] * (i - mean) * (i - mean);
  // Of a loss that is always the same any λ will do.
  return Math.max(second / mass, 1e-6);
}

/** Σ T·ln E[e^{λL}]; infinite where rounding errors leave nothing that has a logarithm. */
function logMoment(parts: readonly Repeated<LossDistribution>[], lambda: number): number {
  let sum = 0;
  for (const { pld, times } of parts) {
    const { masses, first } = pld;
    sum += times * (lambda > 0 ? logMomentUp(masses, first, lambda) : logMomentDown(masses, first, lambda));
  }
  return Number.isNaN(sum) ? Number.POSITIVE_INFINITY : sum;
}

// Both begin where e^{λL} is greatest and take it as 1 there, so that nothing overflows.

function logMomentUp(masses: Float64Array, first: number, lambda: number): number {
  const ratio = Math.exp(-lambda);
  let weight = 1;
  let sum = 0;
  for (let i = masses.length - 1; i >= 0; i--) {
    sum += masses[i] * weight;
    weight *= ratio;
  }
  return Math.log(sum) + lambda * (first + masses.length - 1);
}

function logMomentDown(masses: Float64Array, first: number, lambda: number): number {
  const ratio = Math.exp(lambda);
  let weight = 1;
  let sum = 0;
  for (let i = 0; i < masses.length; i++) {
    sum += masses[i] * weight;
    weight *= ratio;
  }
  return Math.log(sum) + lambda * first;
}
