import { ORDERS, type RdpCurve } from "./orders.ts";
import { rdpDelta } from "./rdp-conversion.ts";

/**
 * What it costs to try a random number of runs and keep the best (Papernot and Steinke 2022, arXiv 2110.03620).
 *
 * @param curve of one run
 * @param shape η of the truncated negative binomial: 1 is geometric, 0 logarithmic; infinite: a Poisson number
 * @param mean E[K]: runs on average
 */
export function tuningCurve(curve: RdpCurve, shape: number, mean: number): RdpCurve {
  if (!(shape > -1)) throw new RangeError(`a shape of ${shape} is not above −1`);
  if (shape === Number.POSITIVE_INFINITY) return poissonTuning(curve, mean);
  if (!(mean >= 1)) throw new RangeError(`a mean of ${mean} runs is below 1`);
  const gamma = gammaOf(shape, mean);
  // Theorem 2: the second order is free, and the best one is taken.
  let cost = Number.POSITIVE_INFINITY;
  ORDERS.forEach((order, i) => {
    if (!Number.isFinite(curve[i])) return;
    cost = Math.min(cost, (1 + shape) * ((1 - 1 / order) * curve[i] + -Math.log(gamma) / order));
  });
  return curve.map((rdp, i) => rdp + cost + Math.log(mean) / (ORDERS[i] - 1));
}

/** Theorem 6. */
function poissonTuning(curve: RdpCurve, mean: number): RdpCurve {
  if (!(mean > 0)) throw new RangeError(`a mean of ${mean} runs is not above 0`);
  return curve.map((rdp, i) => {
    const order = ORDERS[i];
    const delta = rdpDelta(curve, Math.log1p(1 / (order - 1)));
    return rdp + mean * delta + Math.log(mean) / (order - 1);
  });
}

/** γ of the truncated negative binomial with this mean; the mean falls from infinity to 1 as γ goes from 0 to 1. */
function gammaOf(shape: number, mean: number): number {
  if (mean === 1) return 1;
  const meanOf = (gamma: number): number =>
    shape === 0
      ? (1 / gamma - 1) / -Math.log(gamma)
      : (shape * (1 - gamma)) / (gamma * -Math.expm1(shape * Math.log(gamma)));
  let low = Number.MIN_VALUE ** 0.5;
  let high = 1 - 1e-15;
  for (let i = 0; i < 400 && high / low > 1 + 1e-15; i++) {
    const middle = Math.sqrt(low * high);
    if (meanOf(middle) > mean) low = middle;
    else high = middle;
  }
  return low;
}
