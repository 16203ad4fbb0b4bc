import type { Rational } from "./rational.ts";

/**
 * A law of whole numbers that is symmetric about 0, as far as it can be written down: the weights of 0, 1, 2, …, up to a
 * common factor, each between two whole numbers, and a bound on what all later ones come to.
 */
export interface BoundedWeights {
  readonly lower: readonly bigint[];
  readonly upper: readonly bigint[];
  /** At least the sum of all weights beyond the last. */
  readonly tail: bigint;
}

/** Weighs a law to so many bits: the weight of 0 is about 2^precision, and bounds are a few units apart. */
export type WeightsTo = (precision: number) => BoundedWeights;

/**
 * The discrete Gaussian N_Z(0, σ²): the weight of k is exp(−k² / 2σ²) (Canonne, Kamath and Steinke 2020, arXiv
 * 2004.00010, Definition 1).
 *
 * w_{k+1} = w_k · q^{2k+1} with q = exp(−1 / 2σ²), so that two products a weight do.
 * @throws {RangeError} unless σ² is positive
 */
export function discreteGaussianWeights({ numerator, denominator }: Rational): WeightsTo {
  if (numerator <= 0n) throw new RangeError("a discrete Gaussian has a positive variance");
  return (precision) => {
    const bits = BigInt(precision + GUARD);
    const q = exponential({ numerator: denominator, denominator: 2n * numerator }, bits);
    const square: Bounds = [(q[0] * q[0]) >> bits, shiftUp(q[1] * q[1], bits)];
    const lower: bigint[] = [];
    const upper: bigint[] = [];
    let weight: Bounds = [1n << bits, 1n << bits];
    let ratio: Bounds = q;
    while (weight[1] > NEGLIGIBLE) {
      lower.push(weight[0]);
      upper.push(weight[1]);
      weight = product(weight, ratio, bits);
      ratio = product(ratio, square, bits);
    }
    return { lower, upper, tail: geometric(weight[1], ratio[1], bits) };
  };
}

/**
 * The Skellam law of variance μ, the difference of two Poisson variables of mean μ / 2: the weight of k is I_k(μ)
 * (Agarwal, Kairouz and Liu 2021, arXiv 2110.04995, section 3).
 *
 * The ratios ρ_k = I_k / I_{k−1} follow from I_{k−1} = (2k / μ) I_k + I_{k+1}: ρ_k = 1 / (2k / μ + ρ_{k+1}), downwards from
 * any 0 ≤ ρ ≤ 1, between whose ends the true one lies at every step.
 * @throws {RangeError} unless μ is positive
 */
export function skellamWeights(variance: Rational): WeightsTo {
  const { numerator, denominator } = variance;
  if (numerator <= 0n) throw new RangeError("a Skellam law has a positive variance");
  return (precision) => {
    const bits = BigInt(precision + GUARD);
    const one = 1n << bits;
    const last = skellamReach(variance, precision + GUARD);
    const ratios: Bounds[] = new Array(last + 1);
    let ratio: Bounds = [0n, one];
    for (let k = last; k >= 1; k--) {
      const steep = (BigInt(2 * k) * denominator * one) / numerator;
      ratio = [(one * one) / (steep + 1n + ratio[1]), (one * one) / (steep + ratio[0]) + 1n];
      if (ratio[1] > one) ratio = [ratio[0], one];
      ratios[k] = ratio;
    }
    const lower: bigint[] = [one];
    const upper: bigint[] = [one];
    let weight: Bounds = [one, one];
    for (let k = 1; k <= last; k++) {
      weight = product(weight, ratios[k], bits);
      lower.push(weight[0]);
      upper.push(weight[1]);
    }
    // Ratios fall, so that ρ (2k / μ + ρ) ≤ 1 for the one behind ρ_k.
    const slope = (last * Number(denominator)) / Number(numerator);
    const bound = 1 / (slope + Math.sqrt(slope * slope + 1)) + 1e-9;
    return { lower, upper, tail: geometric(weight[1], BigInt(Math.ceil(bound * 2 ** 52)) << (bits - 52n), bits) };
  };
}

type Bounds = readonly [lower: bigint, upper: bigint];

/** Bits that errors of rounding may eat. */
const GUARD = 40;
/** Weights below it tell nothing at this precision. */
const NEGLIGIBLE = 1n << 8n;

function product(a: Bounds, b: Bounds, bits: bigint): Bounds {
  return [(a[0] * b[0]) >> bits, shiftUp(a[1] * b[1], bits)];
}

/** ⌈value / 2^bits⌉ */
function shiftUp(value: bigint, bits: bigint): bigint {
  return -(-value >> bits);
}

/** A bound on first + first · ratio + first · ratio² + …; infinite series of ratios that fall are below it. */
function geometric(first: bigint, ratio: bigint, bits: bigint): bigint {
  const rest = (1n << bits) - ratio;
  if (rest <= 0n) throw new Error("a tail whose weights do not fall");
  return (first << bits) / rest + 1n;
}

/** Bounds on exp(−x), for 2^bits; x a small fraction. By the series of exp(x), whose terms are all positive. */
function exponential({ numerator, denominator }: Rational, bits: bigint): Bounds {
  const one = 1n << bits;
  let term: Bounds = [one, one];
  let sum: Bounds = [one, one];
  for (let i = 1n; ; i++) {
    term = [(term[0] * numerator) / (denominator * i), (term[1] * numerator) / (denominator * i) + 1n];
    sum = [sum[0] + term[0], sum[1] + term[1]];
    // From here on terms halve at least: all later ones together are at most the last.
    const halves = 2n * numerator <= denominator * i;
    if (halves && term[1] <= 2n) {
      const upper = sum[1] + 2n * term[1];
      return [(one * one) / upper, (one * one) / sum[0] + 1n];
    }
  }
}

/** How far a Skellam law of variance μ reaches before its weight is below 2^−bits of that of 0: −ln(I_k / I_0), nearly. */
function skellamReach({ numerator, denominator }: Rational, bits: number): number {
  const mean = Number(numerator) / Number(denominator);
  const decay = (k: number): number => k * Math.asinh(k / mean) - Math.hypot(k, mean) + mean;
  let reach = 8;
  while (decay(reach) < bits * Math.LN2) reach = Math.ceil(reach * 1.1);
  return reach;
}
