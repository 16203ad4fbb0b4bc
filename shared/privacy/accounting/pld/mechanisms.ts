import { connectTheDots } from "./connect-the-dots.ts";
import { DEFAULT_INTERVAL, type Pld } from "./pld.ts";
import {
  cappedGaussianCurve,
  discreteGaussianCurve,
  gaussianCurve,
  laplaceCurve,
  randomisedResponseCurve,
  replacedGaussianCurve,
  sampledCurve,
} from "./privacy-curve.ts";

interface Grid {
  /** The step of the grid of losses; {@link DEFAULT_INTERVAL} if absent, times a power of two where the grid is long. */
  readonly interval?: number;
}

/**
 * One step of the Poisson-subsampled Gaussian mechanism, with one device added or removed.
 *
 * @param options.sampling q, the probability with which each device takes part; 0 < q ≤ 1.
 * @param options.noiseMultiplier z: the noise's standard deviation over the clip norm.
 * @throws {RangeError} for values out of range, as all of these functions.
 */
export function poissonGaussianPld(
  options: { readonly sampling: number; readonly noiseMultiplier: number } & Grid,
): Pld {
  const { sampling, noiseMultiplier, interval = DEFAULT_INTERVAL } = options;
  requireRate(sampling);
  if (sampling === 1) return gaussianPld({ noiseMultiplier });
  requirePositive("noise multiplier", noiseMultiplier);
  return connectTheDots(sampledCurve(gaussianCurve(noiseMultiplier), sampling), interval);
}

/** The Gaussian mechanism without sampling, exact. */
export function gaussianPld({ noiseMultiplier }: { readonly noiseMultiplier: number }): Pld {
  requirePositive("noise multiplier", noiseMultiplier);
  return { kind: "gaussian", noiseMultiplier };
}

/**
 * The same under Poisson sampling with one device replaced by another. The noise multiplier is still over the clip norm,
 * though a replacement can move a sum by twice as much.
 */
export function replaceOneGaussianPld(
  options: { readonly sampling: number; readonly noiseMultiplier: number } & Grid,
): Pld {
  const { sampling, noiseMultiplier, interval = DEFAULT_INTERVAL } = options;
  requireRate(sampling);
  requirePositive("noise multiplier", noiseMultiplier);
  if (sampling === 1) return gaussianPld({ noiseMultiplier: noiseMultiplier / 2 });
  return connectTheDots(replacedGaussianCurve(sampling, noiseMultiplier), interval);
}

/** The same under Poisson sampling whose cohorts are cut to `cap` devices at random, with one added or removed. */
export function cappedPoissonGaussianPld(
  options: {
    readonly population: number;
    readonly sampling: number;
    readonly cap: number;
    readonly noiseMultiplier: number;
  } & Grid,
): Pld {
  const { population, sampling, cap, noiseMultiplier, interval = DEFAULT_INTERVAL } = options;
  requireRate(sampling);
  requirePositive("noise multiplier", noiseMultiplier);
  requireCount("population", population);
  requireCount("cap", cap);
  return connectTheDots(cappedGaussianCurve({ population, rate: sampling, cap, noiseMultiplier }), interval);
}

/**
 * The discrete Gaussian N_Z(0, σ²) added to one integer, of which a device moves at most `sensitivity`; with sampling,
 * where a device takes part with that probability.
 */
export function discreteGaussianPld(
  options: { readonly sigma: number; readonly sensitivity: number; readonly sampling?: number } & Grid,
): Pld {
  const { sigma, sensitivity, sampling = 1, interval = DEFAULT_INTERVAL } = options;
  requireRate(sampling);
  requirePositive("σ", sigma);
  requireCount("sensitivity", sensitivity);
  return connectTheDots(sampledCurve(discreteGaussianCurve(sigma, sensitivity), sampling), interval);
}

/** Laplace noise; `scale` is in units of the L1 sensitivity. */
export function laplacePld(options: { readonly scale: number; readonly sampling?: number } & Grid): Pld {
  const { scale, sampling = 1, interval = DEFAULT_INTERVAL } = options;
  requireRate(sampling);
  requirePositive("scale", scale);
  return connectTheDots(sampledCurve(laplaceCurve(scale), sampling), interval);
}

/** Randomised response among `values` values, uniform with probability `noise`, with one answer replaced by another. */
export function randomisedResponsePld(options: { readonly noise: number; readonly values: number } & Grid): Pld {
  const { noise, values, interval = DEFAULT_INTERVAL } = options;
  if (!(noise > 0 && noise <= 1))
    throw new RangeError(`randomised response is noisy with a probability in (0, 1], not ${noise}`);
  if (!Number.isSafeInteger(values) || values < 2) throw new RangeError(`there are at least 2 values, not ${values}`);
  return connectTheDots(randomisedResponseCurve(noise, values), interval);
}

function requireRate(rate: number): void {
  if (!(rate > 0 && rate <= 1)) throw new RangeError(`a sampling rate lies in (0, 1], not at ${rate}`);
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new RangeError(`the ${what} must be positive, not ${value}`);
}

function requireCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`the ${what} must be an integer of at least 1, not ${value}`);
}
