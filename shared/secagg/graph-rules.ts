import { hypergeometric, logFactorial, lowerQuantile, upperQuantile } from "./hypergeometric.ts";

/**
 * The two published-formula rules that turn (cohort, corrupted fraction, drop-out fraction) into the degree k of a Harary
 * graph and the share threshold t, counted over the neighbours, self excluded. Every device evaluates them for itself.
 *
 * Floating point decides the finder's comparisons, and `Math.log` may differ between engines in its last digit. The
 * quantities compared are log-probabilities that change by whole units from one degree to the next, so two engines
 * disagree only where a probability meets its bound to twelve digits; they would then derive different session ids and
 * the round would abort, unopened.
 */
export interface GraphParameters {
  /** Neighbours of each device, k. */
  readonly degree: number;
  /** Shares that rebuild a secret, t. */
  readonly threshold: number;
}

/** `semi-honest`: the coordinator follows the protocol. `semi-malicious`: it is honest until the roster is fixed. */
export type Adversary = "semi-honest" | "semi-malicious";

export interface Population {
  /** Devices in the roster, n. */
  readonly cohort: number;
  /** Corrupted fraction γ, 0 ≤ γ < 1. */
  readonly corrupted: number;
  /** Drop-out fraction δ, 0 ≤ δ < 1. */
  readonly dropout: number;
}

export interface FinderOptions {
  readonly adversary: Adversary;
  /** Statistical security σ: a bad graph has probability at most 2^-σ. */
  readonly sigma: number;
  /** Correctness η: some device has fewer than t surviving neighbours with probability at most 2^-η. */
  readonly eta: number;
}

/**
 * The smallest even degree below n - 1 whose randomly ordered Harary graph is "good" (Bell et al., CCS 2020, definition
 * 3.4; the bounds are those of Google's `graph_parameter_finder.cc`), or null where the rule says: complete graph.
 *
 * - connected after A + D removals, except with probability 2^-(σ+1): a union bound over pairs of gaps of k/2;
 * - t exceeds the corrupted neighbours of every device, except with 2^-(σ+1); `semi-malicious`: 2t > k + corrupted;
 * - t neighbours of every device survive, except with 2^-η.
 *
 * @throws {RangeError} for a cohort that is not a positive integer, or a fraction outside [0, 1).
 */
export function finder(population: Population, options: FinderOptions): GraphParameters | null {
  const counts = tolerated(population);
  // Beyond these the bounds can be met only by degrees within a few of n, where the complete graph costs no more.
  const load = population.corrupted + population.dropout * (options.adversary === "semi-malicious" ? 2 : 1);
  if (load > 0.9 + 1e-9) return null;
  for (let degree = 2; degree < population.cohort - 1; degree += 2) {
    const threshold = finderThreshold(population.cohort, degree, counts, options);
    if (threshold !== undefined) return { degree, threshold };
  }
  return null;
}

/**
 * The smallest even degree k ≤ n - 1 with k - D ≥ t and k > A + D, where t = ⌊(A+k)/2⌋ + 1; null where there is none.
 * Then, whatever the placement of A corrupted and D dropped devices on the ring,
 *
 * - 2t > k + A: both secrets of one device can never be rebuilt, under any split of views; and with the confirmations of
 *   `confirmation-quorum.ts` (proof there) the one sum that an active coordinator can open has every honest survivor.
 *   Confirmations of t neighbours alone would not give that;
 * - a Harary graph is k-connected (Harary 1962), so A + D < k removals leave it connected;
 * - D drop-outs leave every device t share holders.
 *
 * @throws {RangeError} as {@link finder}.
 */
export function placementProof(population: Population): GraphParameters | null {
  const { corrupted, dropped } = tolerated(population);
  for (let degree = 2; degree <= population.cohort - 1; degree += 2) {
    const threshold = unsplittableThreshold(corrupted, degree);
    if (degree - dropped >= threshold && degree > corrupted + dropped) return { degree, threshold };
  }
  return null;
}

/** The least t with 2t > k + A: two disjoint sets of holders cannot both reach it, though A of them are in both. */
export function unsplittableThreshold(corrupted: number, degree: number): number {
  return Math.floor((corrupted + degree) / 2) + 1;
}

/**
 * A = ⌊γn⌋ and D = ⌊δn⌋ as the fractions are meant: 0.29 of 100 is 29, though 0.29 · 100 is a little less in binary.
 *
 * @throws {RangeError} as {@link finder}.
 */
export function tolerated({ cohort, corrupted, dropout }: Population): { corrupted: number; dropped: number } {
  if (!Number.isSafeInteger(cohort) || cohort < 1) {
    throw new RangeError(`a cohort is a whole number of devices, at least 1, not ${cohort}`);
  }
  for (const [name, fraction] of [
    ["corrupted", corrupted],
    ["drop-out", dropout],
  ] as const) {
    if (!(fraction >= 0 && fraction < 1)) {
      throw new RangeError(`the ${name} fraction lies between 0 and 1 (below 1), it cannot be ${fraction}`);
    }
  }
  const share = (fraction: number) => Math.floor(fraction * cohort * (1 + 1e-9));
  return { corrupted: share(corrupted), dropped: share(dropout) };
}

function finderThreshold(
  cohort: number,
  degree: number,
  counts: { corrupted: number; dropped: number },
  { adversary, sigma, eta }: FinderOptions,
): number | undefined {
  const { corrupted, dropped } = counts;
  if (logDisconnected(cohort, degree, corrupted + dropped) >= -(sigma + 1) * Math.LN2) return undefined;

  let mostCorrupted = upperQuantile(hypergeometric(cohort, corrupted, degree), 2 ** -(sigma + 1) / cohort);
  // 1.25 rather than 1, so that rounding up never lands on the wrong side of the half.
  if (adversary === "semi-malicious") mostCorrupted = Math.ceil((mostCorrupted + degree - 1.25) / 2);
  const fewestSurvivors = lowerQuantile(hypergeometric(cohort, cohort - dropped, degree), 2 ** -eta / cohort);
  return mostCorrupted < fewestSurvivors ? Math.max(mostCorrupted + 1, 2) : undefined;
}

/**
 * ln of the bound on the probability that removing `removed` random devices disconnects the ring: n(n-k-1)/2 pairs of
 * gaps, each removed with probability C(removed, k) / C(n, k).
 */
function logDisconnected(cohort: number, degree: number, removed: number): number {
  if (degree > removed) return Number.NEGATIVE_INFINITY;
  const gapPairs = Math.log(cohort) + Math.log(cohort - degree - 1) - Math.LN2;
  return (
    gapPairs +
    logFactorial(removed) -
    logFactorial(removed - degree) -
    (logFactorial(cohort) - logFactorial(cohort - degree))
  );
}
