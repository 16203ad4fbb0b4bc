import type { LossDistribution, Repeated } from "./pld.ts";

/** The mass that may lie past either end of a window. */
export const TAIL_MASS = 1e-15;

/**
 * The places of the grid between which a sum of independent losses lies, but for {@link TAIL_MASS} at either end:
 * Chernoff's bound Pr[S ≥ x] ≤ e^{−λx}·Π E[e^{λL}], and no further than the sum's support. Every λ gives a bound.
 */
export function sumWindow(parts: readonly Repeated<LossDistribution>[]): {
  readonly first: number;
  readonly last: number;
} {
  let first = 0;
  let last = 0;
  let variance = 0;
  let widest = 0;
  for (const { pld, times } of parts) {
    first += times * pld.first;
    last += times * (pld.first + pld.masses.length - 1);
    variance += times * varianceInSteps(pld);
    widest = Math.max(widest, pld.masses.length);
  }
  const slack = -Math.log(TAIL_MASS);
  // Were the sum normal, this λ would be the best one; where rare losses are large it is a smaller one, down to what one
  // loss of the grid's width is worth. All is in steps of the grid.
  const normal = Math.sqrt((2 * slack) / variance);
  const from = Math.log(Math.min(normal / 3, 1 / widest));
  const to = Math.log(3 * normal);
  const above = leastValue((log) => (logMoment(parts, Math.exp(log)) + slack) / Math.exp(log), from, to);
  const below = leastValue((log) => (logMoment(parts, -Math.exp(log)) + slack) / Math.exp(log), from, to);
  return { first: Math.max(first, Math.floor(-below)), last: Math.min(last, Math.ceil(above)) };
}

/** The least value that a golden section search meets; both bounds have one minimum in λ. */
function leastValue(evaluate: (at: number) => number, from: number, to: number): number {
  const section = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  let left = high - section * (high - low);
  let right = low + section * (high - low);
  let [atLeft, atRight] = [evaluate(left), evaluate(right)];
  let least = Math.min(atLeft, atRight);
  while (high - low > 0.2) {
    if (atLeft < atRight) {
      high = right;
      [right, atRight] = [left, atLeft];
      left = high - section * (high - low);
      atLeft = evaluate(left);
      least = Math.min(least, atLeft);
    } else {
      low = left;
      [left, atLeft] = [right, atRight];
      right = low + section * (high - low);
      atRight = evaluate(right);
      least = Math.min(least, atRight);
    }
  }
  return least;
}

function varianceInSteps({ masses }: LossDistribution): number {
  let mass = 0;
  let first = 0;
  for (let i = 0; i < masses.length; i++) {
    mass += masses[i];
    first += masses[i] * i;
  }
  const mean = first / mass;
  let second = 0;
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
