import { logBinomialPoint } from "../../secagg/hypergeometric.ts";

/** What was guessed about canaries of which each was in by a fair coin. */
export interface Guesses {
  readonly canaries: number;
  /** Those about which there was a guess; on the others the auditor abstained. */
  readonly guesses: number;
  readonly correct: number;
}

/**
 * The p-value of the hypothesis that the mechanism is (ε, δ)-differentially private, after as many correct guesses in
 * one run (Steinke, Nasr, Jagielski 2023, arXiv 2305.08846, Theorem 5.2). With q = e^ε/(1 + e^ε), r guesses of which v are
 * correct, and m canaries:
 *
 *   β = Pr[Bin(r, q) ≥ v],   α = max_{1 ≤ i ≤ v} Pr[v > Bin(r, q) ≥ v − i] / i,   p = min(1, β + 2mδα)
 *
 * The number of guesses is chosen before the run.
 */
export function oneRunPValue({ canaries, guesses, correct }: Guesses, epsilon: number, delta: number): number {
  requireGuesses({ canaries, guesses, correct });
  // Both without cancellation: 1 − q is 1/(1 + e^ε).
  const right = 1 / (1 + Math.exp(-epsilon));
  const wrong = 1 / (1 + Math.exp(epsilon));
  const point = (k: number) => Math.exp(logBinomialPoint(k, guesses, right, wrong));
  let beta = 0;
  for (let k = guesses; k >= correct; k--) beta += point(k);
  if (delta === 0) return Math.min(1, beta);
  let below = 0;
  let alpha = 0;
  for (let i = 1; i <= correct; i++) {
    below += point(correct - i);
    alpha = Math.max(alpha, below / i);
  }
  return Math.min(1, beta + 2 * canaries * delta * alpha);
}

/** The greatest ε that the guesses refute with error probability at most `error`; 0 if they refute none. */
export function oneRunEpsilon(guesses: Guesses, delta: number, error: number): number {
  const refuted = (epsilon: number) => oneRunPValue(guesses, epsilon, delta) < error;
  if (!refuted(0)) return 0;
  let low = 0;
  let high = 1;
  while (refuted(high)) [low, high] = [high, 2 * high];
  while (high - low > 1e-10) {
    const middle = (low + high) / 2;
    if (refuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function requireGuesses({ canaries, guesses, correct }: Guesses): void {
  const ordered = correct >= 0 && correct <= guesses && guesses <= canaries;
  if (![canaries, guesses, correct].every(Number.isSafeInteger) || !ordered) {
    throw new RangeError(`${correct} of ${guesses} guesses about ${canaries} canaries`);
  }
}
