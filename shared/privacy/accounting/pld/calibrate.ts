import { gaussianNoiseMultiplier } from "../analytic-gaussian.ts";
import { composed } from "./compose.ts";
import { pldEpsilon } from "./epsilon.ts";
import { poissonGaussianPld } from "./mechanisms.ts";
import { DEFAULT_INTERVAL } from "./pld.ts";

/** Of the noise multiplier: the answer is at most so much larger than the least one. */
const TOLERANCE = 1e-5;

/** Where δ alone covers being drawn, any noise meets a target: none below this is answered. */
const LEAST_NOISE = 0.01;
const LEAST = Math.log(LEAST_NOISE);

/**
 * The least noise multiplier, from 0.01 on, with which `steps` steps of the Poisson-subsampled Gaussian mechanism are
 * (ε, δ)-differentially private by their privacy loss distribution, with one device added or removed. What it answers
 * does fulfil the target.
 *
 * @throws {RangeError} unless ε > 0, 1e-12 ≤ δ < 1, 0 < sampling ≤ 1, and there is at least one step.
 */
export function pldNoiseMultiplier(target: {
  readonly sampling: number;
  readonly steps: number;
  readonly epsilon: number;
  readonly delta: number;
}): number {
  const { sampling, steps, epsilon, delta } = target;
  if (!(epsilon > 0 && epsilon < Number.POSITIVE_INFINITY)) throw new RangeError(`ε must be positive, not ${epsilon}`);
  const epsilonOn = (interval: number) => (noiseMultiplier: number) =>
    pldEpsilon(composed(poissonGaussianPld({ sampling, noiseMultiplier, interval }), steps), delta);
  if (sampling === 1) {
    const single = gaussianNoiseMultiplier({ epsilon, delta });
    // The product's rounding may fall on the wrong side.
    return single * Math.sqrt(steps) * (1 + 1e-12);
  }
  // Sixteen times coarser is more than ten times faster, and hardly ever a hundredth off.
  const coarse = leastNoise(epsilonOn(16 * DEFAULT_INTERVAL), epsilon, 1, 1.5, 1e-2);
  return leastNoise(epsilonOn(DEFAULT_INTERVAL), epsilon, coarse, 1.01, TOLERANCE);
}

/**
 * The least noise z with epsilonAt(z) ≤ target, for a falling function, at most 1 + tolerance times too large: from a
 * guess in growing steps until it is enclosed, then the Illinois method on ln ε over ln z, which is nearly straight.
 */
function leastNoise(
  epsilonAt: (noise: number) => number,
  target: number,
  guess: number,
  step: number,
  tolerance: number,
): number {
  // An ε of 0 or ∞ only has to be on its side.
  const excess = (logNoise: number) => Math.log(Math.min(1e9, Math.max(1e-9, epsilonAt(Math.exp(logNoise)) / target)));
  let stride = Math.log(step);
  let low = Math.log(guess);
  let high = low;
  let atLow = excess(low);
  let atHigh = atLow;
  while (atHigh > 0) {
    [low, atLow] = [high, atHigh];
    high += stride;
    atHigh = excess(high);
    stride *= 2;
  }
  while (atLow <= 0) {
    [high, atHigh] = [low, atLow];
    if (low === LEAST) return LEAST_NOISE;
    low = Math.max(LEAST, low - stride);
    atLow = excess(low);
    stride *= 2;
  }
  // Weights of the two ends: an end that stays is given half of its weight, so that the other one moves too.
  let [weightLow, weightHigh] = [atLow, atHigh];
  while (high - low > tolerance) {
    const secant = (low * weightHigh - high * weightLow) / (weightHigh - weightLow);
    // A hair above the root, so that it is enclosed from both sides.
    const middle = Math.min(high - tolerance / 4, Math.max(low + tolerance / 4, secant + tolerance / 4));
    const atMiddle = excess(middle);
    if (atMiddle > 0) {
      [low, weightLow] = [middle, atMiddle];
      weightHigh /= 2;
    } else {
      [high, weightHigh] = [middle, atMiddle];
      weightLow /= 2;
    }
  }
  return Math.exp(high);
}
