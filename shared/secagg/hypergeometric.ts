/**
 * The hypergeometric distribution: how many of `sampled` devices, drawn without replacement from `population` of which
 * `marked` are corrupted (or dropped), are marked. The neighbours of a device on a randomly ordered ring are such a draw
 * (Bell et al., CCS 2020, section 3.2).
 *
 * Single probabilities come from Loader's saddle-point form ("Fast and Accurate Computation of Binomial Probabilities",
 * 2000), which keeps about 13 digits up to a population of 10^6, where differences of log-factorials keep 8. Tails are
 * sums of positive terms from the small end's side, so a probability of 2^-80 is as accurate as one of 1/2.
 */
export interface Hypergeometric {
  readonly population: number;
  readonly marked: number;
  readonly sampled: number;
}

/** @throws {RangeError} unless all three are integers with 0 ≤ marked, sampled ≤ population. */
export function hypergeometric(population: number, marked: number, sampled: number): Hypergeometric {
  for (const count of [population, marked, sampled]) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`a hypergeometric count must be an integer of at least 0, not ${count}`);
    }
  }
  if (marked > population || sampled > population) {
    throw new RangeError(`cannot mark ${marked} or sample ${sampled} of ${population}`);
  }
  return { population, marked, sampled };
}

/** Pr[X = x]. */
export function pointProbability(distribution: Hypergeometric, x: number): number {
  const { population, marked, sampled } = distribution;
  if (!Number.isInteger(x) || x < lowest(distribution) || x > highest(distribution)) return 0;
  if (sampled === 0 || sampled === population) return 1;
  const drawn = sampled / population;
  const left = (population - sampled) / population;
  return Math.exp(
    logBinomialPoint(x, marked, drawn, left) +
      logBinomialPoint(sampled - x, population - marked, drawn, left) -
      logBinomialPoint(sampled, population, drawn, left),
  );
}

/** Pr[X > x], for any real x. */
export function upperTail(distribution: Hypergeometric, x: number): number {
  const from = Math.floor(x) + 1;
  if (from <= lowest(distribution)) return 1;
  if (from > highest(distribution)) return 0;
  return from > mode(distribution) ? sumUpwards(distribution, from) : 1 - sumDownwards(distribution, from - 1);
}

/** Pr[X ≤ x], for any real x. */
export function cumulative(distribution: Hypergeometric, x: number): number {
  const to = Math.floor(x);
  if (to < lowest(distribution)) return 0;
  if (to >= highest(distribution)) return 1;
  return to < mode(distribution) ? sumDownwards(distribution, to) : 1 - sumUpwards(distribution, to + 1);
}

/** The smallest x with Pr[X > x] ≤ probability; 0 ≤ probability < 1. */
export function upperQuantile(distribution: Hypergeometric, probability: number): number {
  let below = lowest(distribution) - 1;
  let atLeast = highest(distribution);
  while (atLeast - below > 1) {
    const middle = below + Math.floor((atLeast - below) / 2);
    if (upperTail(distribution, middle) <= probability) atLeast = middle;
    else below = middle;
  }
  return atLeast;
}

/** The largest x with Pr[X < x] ≤ probability; 0 ≤ probability < 1. */
export function lowerQuantile(distribution: Hypergeometric, probability: number): number {
  const { population, marked, sampled } = distribution;
  // Pr[X < x] is the probability that more than sampled - x of the draw are unmarked.
  return sampled - upperQuantile(hypergeometric(population, population - marked, sampled), probability);
}

/** ln n! = lnΓ(n + 1), for an integer n ≥ 0, within two units in the last place. */
export function logFactorial(n: number): number {
  if (n < 2) return 0;
  return (n + 0.5) * Math.log(n) - n + HALF_LOG_TWO_PI + stirlingError(n);
}

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

const lowest = ({ population, marked, sampled }: Hypergeometric) => Math.max(0, marked + sampled - population);
const highest = ({ marked, sampled }: Hypergeometric) => Math.min(marked, sampled);
const mode = ({ population, marked, sampled }: Hypergeometric) =>
  Math.floor(((sampled + 1) * (marked + 1)) / (population + 2));

/** A term this much smaller than the sum, with smaller ones to follow, no longer moves it. */
const NEGLIGIBLE = 1e-18;

function sumUpwards(distribution: Hypergeometric, from: number): number {
  const { population, marked, sampled } = distribution;
  const last = highest(distribution);
  let term = pointProbability(distribution, from);
  let sum = term;
  for (let x = from; x < last && term > sum * NEGLIGIBLE; x++) {
    term *= ((marked - x) / (x + 1)) * ((sampled - x) / (population - marked - sampled + x + 1));
    sum += term;
  }
  return sum;
}

function sumDownwards(distribution: Hypergeometric, from: number): number {
  const { population, marked, sampled } = distribution;
  const last = lowest(distribution);
  let term = pointProbability(distribution, from);
  let sum = term;
  for (let x = from; x > last && term > sum * NEGLIGIBLE; x--) {
    term *= (x / (marked - x + 1)) * ((population - marked - sampled + x) / (sampled - x + 1));
    sum += term;
  }
  return sum;
}

/** ln Pr[Binomial(n, p) = x], q = 1 - p given apart so that neither is rounded twice (Loader 2000, equation 2). */
export function logBinomialPoint(x: number, n: number, p: number, q: number): number {
  if (x === 0) return n === 0 ? 0 : n * (p < 0.1 ? Math.log1p(-p) : Math.log(q));
  if (x === n) return n * (q < 0.1 ? Math.log1p(-q) : Math.log(p));
  const correction = stirlingError(n) - stirlingError(x) - stirlingError(n - x);
  const scale = Math.log(2 * Math.PI) + Math.log(x) + Math.log1p(-x / n);
  return correction - deviance(x, n * p) - deviance(n - x, n * q) - 0.5 * scale;
}

/** x ln(x / mean) + mean - x without cancellation when x is near the mean (Loader 2000, section 2.2). */
function deviance(x: number, mean: number): number {
  const difference = x - mean;
  if (Math.abs(difference) >= 0.1 * (x + mean)) return x * Math.log(x / mean) - difference;
  const ratio = difference / (x + mean);
  const square = ratio * ratio;
  let sum = difference * ratio;
  let power = 2 * x * ratio;
  for (let odd = 3; ; odd += 2) {
    power *= square;
    const next = sum + power / odd;
    if (next === sum) return sum;
    sum = next;
  }
}

/** ln n! minus Stirling's formula: exact below 16, where the series is slow, the series above. */
function stirlingError(n: number): number {
  if (n < EXACT_ERRORS.length) return EXACT_ERRORS[n];
  const inverse = 1 / n;
  const square = inverse * inverse;
  return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))));
}

/** For n = 0 the term is never used: {@link logBinomialPoint} and {@link logFactorial} return before. */
const EXACT_ERRORS: readonly number[] = Array.from({ length: 16 }, (_, n) => {
  let factorial = 1;
  for (let i = 2; i <= n; i++) factorial *= i;
  return n === 0 ? 0 : Math.log(factorial) - ((n + 0.5) * Math.log(n) - n + HALF_LOG_TWO_PI);
});
