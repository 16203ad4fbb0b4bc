import { regularisedBeta } from "../accounting/binomial-tail.ts";

/**
 * The exact one-sided bounds on a probability after `successes` in `trials` (Clopper and Pearson 1934): each is wrong
 * with probability at most `error`. A two-sided interval of 95 % takes an error of 0.025 for each.
 */

/** The greatest p for which as few successes are not less probable than `error`. */
export function upperBound(successes: number, trials: number, error: number): number {
  requireCounts(successes, trials, error);
  // Pr[Bin(n, p) ≤ k] = 1 − I_p(k + 1, n − k) falls in p.
  return successes === trials ? 1 : betaQuantile(1 - error, successes + 1, trials - successes);
}

/** The least p for which as many successes are not less probable than `error`. */
export function lowerBound(successes: number, trials: number, error: number): number {
  return 1 - upperBound(trials - successes, trials, error);
}

/** The x with I_x(a, b) = probability, by bisection down to neighbouring doubles; the upper one. */
function betaQuantile(probability: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (;;) {
    const middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) return high;
    if (regularisedBeta(middle, a, b) < probability) low = middle;
    else high = middle;
  }
}

function requireCounts(successes: number, trials: number, error: number): void {
  if (!Number.isSafeInteger(trials) || trials < 1) throw new RangeError(`there is at least one trial, not ${trials}`);
  if (!Number.isSafeInteger(successes) || successes < 0 || successes > trials) {
    throw new RangeError(`${successes} successes in ${trials} trials`);
  }
  if (!(error > 0 && error < 1)) throw new RangeError(`an error probability lies between 0 and 1, not at ${error}`);
}
