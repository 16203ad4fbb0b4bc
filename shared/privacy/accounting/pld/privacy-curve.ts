import { gaussianDelta } from "../analytic-gaussian.ts";
import { binomialUpperTail } from "../binomial-tail.ts";
import { gaussianFactor, logNormalTail } from "../normal-tail.ts";

/**
 * What a pair of output distributions (P, Q) gives away: δ(ε) = sup_S P(S) − e^ε Q(S) for ε ≥ 0, in both orders of the
 * pair. Both fall in ε, and together they fix the whole privacy loss distribution, since
 * δ_{P,Q}(−ε) = 1 − e^{−ε} + e^{−ε} δ_{Q,P}(ε). Each is exact relative to itself, however small.
 */
export interface PrivacyCurve {
  /** δ of (P, Q). */
  readonly forward: (epsilon: number) => number;
  /** δ of (Q, P); the same function object where the pair is symmetric. */
  readonly backward: (epsilon: number) => number;
}

const symmetric = (delta: (epsilon: number) => number): PrivacyCurve => ({ forward: delta, backward: delta });

/** N(1, z²) against N(0, z²): Balle and Wang 2018, Theorem 8. */
export function gaussianCurve(noiseMultiplier: number): PrivacyCurve {
  return symmetric((epsilon) => gaussianDelta(epsilon, noiseMultiplier));
}

/** A Laplace distribution of scale b, shifted by 1, against itself: δ = 1 − e^{(ε − 1/b)/2} up to ε = 1/b. */
export function laplaceCurve(scale: number): PrivacyCurve {
  return symmetric((epsilon) => Math.max(0, -Math.expm1((epsilon - 1 / scale) / 2)));
}

/**
 * k-ary randomised response, which answers uniformly among all k values with probability p and truly otherwise, at two
 * different true values.
 */
export function randomisedResponseCurve(noise: number, values: number): PrivacyCurve {
  const other = noise / values;
  const truth = 1 - noise + other;
  return symmetric((epsilon) => Math.max(0, truth - Math.exp(epsilon) * other));
}

/**
 * N_Z(0, σ²) shifted by an integer Δ against itself, on the integers (Canonne, Kamath, Steinke 2020):
 * P(x)/Q(x) grows in x, so δ(ε) is a difference of two upper tails.
 */
export function discreteGaussianCurve(sigma: number, sensitivity: number): PrivacyCurve {
  // Past 38 σ a mass is below the smallest double.
  const reach = Math.ceil(38 * sigma) + sensitivity;
  const tails = new Float64Array(2 * reach + 2);
  for (let x = reach; x >= -reach; x--) tails[x + reach] = tails[x + reach + 1] + gaussianFactor(x / sigma);
  const total = tails[0];
  const tail = (x: number) => (x > reach ? 0 : tails[Math.max(0, x + reach)] / total);
  return symmetric((epsilon) => {
    // The loss at x is (2xΔ − Δ²)/(2σ²): from this x on it is above ε.
    const from = Math.floor((epsilon * sigma * sigma) / sensitivity + sensitivity / 2) + 1;
    const far = tail(from);
    return far === 0
      ? tail(from - sensitivity)
      : Math.max(0, tail(from - sensitivity) - Math.exp(epsilon + Math.log(far)));
  });
}

/**
 * The curve of P' = (1 − q)Q + qP against Q, and of Q against P': a mechanism whose input is there only with
 * probability q (Balle, Barthe, Gaboardi 2018, Theorem 2; both orders are equalities):
 *
 *   δ_{P',Q}(ε) = q · δ_{P,Q}(η),                    e^η = 1 + (e^ε − 1)/q
 *   δ_{Q,P'}(ε) = (1 − e^ε(1 − q)) · δ_{Q,P}(η'),    e^{−η'} = 1 + (e^{−ε} − 1)/q,   0 from ε = −ln(1 − q)
 */
export function sampledCurve(curve: PrivacyCurve, rate: number): PrivacyCurve {
  if (rate === 1) return curve;
  return {
    forward: (epsilon) => rate * curve.forward(amplified(epsilon, rate)),
    backward: (epsilon) => {
      const share = Math.expm1(-epsilon) / rate;
      if (share <= -1) return 0;
      return rate * Math.exp(epsilon) * (1 + share) * curve.backward(-Math.log1p(share));
    },
  };
}

/** ln(1 + (e^ε − 1)/q), where e^ε may be beyond the doubles. */
function amplified(epsilon: number, rate: number): number {
  return epsilon > 500 ? epsilon - Math.log(rate) : Math.log1p(Math.expm1(epsilon) / rate);
}

/**
 * Poisson sampling when one record is replaced by another, with unit clip and noise z:
 * (1 − q)N(0, z²) + qN(1, z²) against (1 − q)N(0, z²) + qN(−1, z²). The loss grows in the output, so a threshold gives
 * δ; it solves b = 2c·sinh(x/z² − ε/2) with b/(2c) = ((1 − q)/q)·e^{1/(2z²)}·sinh(ε/2).
 */
export function replacedGaussianCurve(rate: number, noiseMultiplier: number): PrivacyCurve {
  const z = noiseMultiplier;
  if (rate === 1) return gaussianCurve(z / 2);
  const logOdds = Math.log1p(-rate) - Math.log(rate) + 1 / (2 * z * z);
  return symmetric((epsilon) => {
    const x = z * z * (epsilon / 2 + hyperbolicArcsineOfExponential(logOdds + logHyperbolicSine(epsilon / 2)));
    const weight = (share: number, shift: number, factor: number) =>
      share * Math.exp(factor + logNormalTail((x - shift) / z));
    const gained = weight(rate, 1, 0) + weight(1 - rate, 0, 0);
    return Math.max(0, gained - weight(rate, -1, epsilon) - weight(1 - rate, 0, epsilon));
  });
}

/** ln sinh x for x ≥ 0. */
const logHyperbolicSine = (x: number) => x + Math.log(-Math.expm1(-2 * x) / 2);

/** arsinh(e^y). */
const hyperbolicArcsineOfExponential = (y: number) => (y > 20 ? y + Math.LN2 : Math.asinh(Math.exp(y)));

/**
 * Poisson sampling of n records at rate q whose batches are cut to a cap (arXiv 2508.15089): with probability
 * p = Pr[Bin(n − 1, q) ≥ cap] a batch is full without the record, which then takes another's place with probability
 * q' = cap·Pr[Bin(n, q) > cap]/(n·p): the curve of a replacement at rate q' with half the noise. Otherwise it is plain
 * Poisson sampling.
 */
export function cappedGaussianCurve(options: {
  readonly population: number;
  readonly rate: number;
  readonly cap: number;
  readonly noiseMultiplier: number;
}): PrivacyCurve {
  const { population, rate, cap, noiseMultiplier } = options;
  const plain = sampledCurve(gaussianCurve(noiseMultiplier), rate);
  const full = binomialUpperTail(population - 1, rate, cap);
  if (full === 0) return plain;
  const replaced = Math.min(1, (cap * binomialUpperTail(population, rate, cap + 1)) / (population * full));
  return mixedCurve(plain, replacedGaussianCurve(replaced, noiseMultiplier / 2), full);
}

/** One of two mechanisms at random, the second with probability `weight`; which one it was is known. */
function mixedCurve(first: PrivacyCurve, second: PrivacyCurve, weight: number): PrivacyCurve {
  return {
    forward: (epsilon) => (1 - weight) * first.forward(epsilon) + weight * second.forward(epsilon),
    backward: (epsilon) => (1 - weight) * first.backward(epsilon) + weight * second.backward(epsilon),
  };
}
