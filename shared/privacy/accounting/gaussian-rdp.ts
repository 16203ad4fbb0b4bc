import { type RdpCurve, rdpCurve } from "./orders.ts";

/** The Gaussian mechanism: ε(α) = α / 2z² (Mironov 2017, arXiv 1702.07476, Proposition 7). @param z noise multiplier */
export function gaussianRdp(z: number): (order: number) => number {
  requireNoise(z);
  return (order) => order / (2 * z * z);
}

/**
 * The Gaussian mechanism under Poisson sampling at rate q, adding or removing one (Mironov, Talwar and Zhang 2019, arXiv
 * 1908.10530): ε(α) = ln A_α / (α − 1),
 *
 * ```
 *  A_α = E_{x ~ N(0, z²)} [ (1 − q + q e^{(2x − 1) / 2z²})^α ]
 * ```
 *
 * At whole orders a finite sum; at others by quadrature, which is exact to twelve digits: the trapezoidal rule converges
 * geometrically for such integrands.
 */
export function poissonGaussianRdp(q: number, z: number): (order: number) => number {
  requireNoise(z);
  if (!(q >= 0 && q <= 1)) throw new RangeError(`a sampling rate of ${q} is not in [0, 1]`);
  if (q === 0) return () => 0;
  if (q === 1) return gaussianRdp(z);
  return (order) => (Number.isInteger(order) ? logMomentWhole(q, z, order) : logMoment(q, z, order)) / (order - 1);
}

const curves = new Map<string, RdpCurve>();
const KEPT = 64;

/** The curve of {@link poissonGaussianRdp}, kept: a ledger asks for the same one round after round. */
export function poissonGaussianCurve(q: number, z: number): RdpCurve {
  const name = `${q}:${z}`;
  const known = curves.get(name);
  if (known !== undefined) return known;
  const curve = rdpCurve(poissonGaussianRdp(q, z));
  if (curves.size >= KEPT) curves.clear();
  curves.set(name, curve);
  return curve;
}

/** Below it ln A is taken from A − 1, which does not cancel. */
const NEAR_ONE = 1e-2;

/** ln A_α = ln Σ_k C(α, k) (1 − q)^{α−k} q^k e^{(k² − k) / 2z²}. */
function logMomentWhole(q: number, z: number, order: number): number {
  const logs = new Float64Array(order + 1);
  let logBinomial = 0;
  let most = Number.NEGATIVE_INFINITY;
  let excess = 0;
  for (let k = 0; k <= order; k++) {
    const weight = logBinomial + (order - k) * Math.log1p(-q) + k * Math.log(q);
    const exponent = (k * k - k) / (2 * z * z);
    logs[k] = weight + exponent;
    if (logs[k] > most) most = logs[k];
    // Σ weights is 1: A − 1 = Σ_{k≥2} weight · (e^exponent − 1).
    excess += exponent > 700 ? Number.POSITIVE_INFINITY : Math.exp(weight) * Math.expm1(exponent);
    logBinomial += Math.log(order - k) - Math.log(k + 1);
  }
  if (excess < NEAR_ONE) return Math.log1p(excess);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
}

/** The integrand falls like a Gaussian on either side of 0 … α. */
const REACH = 14;
const STEPS = 16;

function logMoment(q: number, z: number, order: number): number {
  const from = -REACH * z;
  const step = z / STEPS;
  const count = Math.ceil((order + 2 * REACH * z) / step);
  const logs = new Float64Array(count + 1);
  const normaliser = Math.log(step) - Math.log(z) - 0.5 * Math.log(2 * Math.PI);
  let most = Number.NEGATIVE_INFINITY;
  let excess = 0;
  for (let i = 0; i <= count; i++) {
    const x = from + i * step;
    const density = normaliser - (x * x) / (2 * z * z);
    const loss = (2 * x - 1) / (2 * z * z);
    const power = order * logMixture(q, loss);
    logs[i] = density + power;
    if (logs[i] > most) most = logs[i];
    // E[e^loss − 1] is 0: taking α q (e^loss − 1) away leaves a term of the order of q², and nothing cancels.
    excess +=
      power > 700 ? Number.POSITIVE_INFINITY : Math.exp(density) * (Math.expm1(power) - order * q * Math.expm1(loss));
  }
  if (excess < NEAR_ONE) return Math.log1p(Math.max(0, excess));
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - most);
  return most + Math.log(sum);
}

/** ln(1 − q + q e^loss). */
function logMixture(q: number, loss: number): number {
  return loss > 700 ? loss + Math.log(q) : Math.log1p(q * Math.expm1(loss));
}

function requireNoise(z: number): void {
  if (!(z > 0)) throw new RangeError(`a noise multiplier of ${z}: without noise there is no ε`);
}
