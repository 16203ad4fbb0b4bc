import type { ToeplitzFactor } from "./toeplitz.ts";

/** What devices enforce: at most so many participations, and from one to the next at least so many rounds. */
export interface Participation {
  readonly most: number;
  /** 1 allows consecutive rounds. */
  readonly separation: number;
}

/**
 * The L2 sensitivity of C to all of one device's contributions, each of norm at most 1: the maximum over the allowed
 * patterns of ‖Σ_j C_{:,j}‖₂ (Choquette-Choo et al. 2022, arXiv 2211.06530: with no negative entry in CᵀC the
 * worst contributions all point one way).
 *
 * For coefficients that are not negative and do not grow, the worst pattern begins in the first round, takes part as
 * often and waits as little as it may: two columns overlap the more the closer they are, and a column is the longer the
 * earlier it begins (Kalinin and Lampert 2024, arXiv 2405.13763, Theorem 2).
 *
 * @throws {RangeError} for a factor with a negative or a growing coefficient, and unless `most` and `separation` are
 * integers of at least 1.
 */
export function sensitivity({ rounds, coefficients }: ToeplitzFactor, { most, separation }: Participation): number {
  for (const [what, value] of [
    ["most participations", most],
    ["separation", separation],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`the ${what} must be at least 1, not ${value}`);
  }
  coefficients.forEach((value, k) => {
    if (value < 0 || value > coefficients[Math.max(0, k - 1)]) {
      throw new RangeError("the sensitivity is known for coefficients that are not negative and do not grow");
    }
  });
  const column = new Float64Array(rounds);
  const participations = Math.min(most, Math.ceil(rounds / separation));
  for (let j = 0; j < participations; j++) {
    const start = j * separation;
    for (let k = 0; k < coefficients.length && start + k < rounds; k++) column[start + k] += coefficients[k];
  }
  let squares = 0;
  for (const value of column) squares += value * value;
  return Math.sqrt(squares);
}
