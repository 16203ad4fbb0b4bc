import { ORDERS, type RdpCurve } from "./orders.ts";

/** An ε, and the order that gave it. */
export interface RdpEpsilon {
  readonly epsilon: number;
  readonly order: number;
}

/**
 * From Rényi to approximate differential privacy (Canonne, Kamath and Steinke 2020, arXiv 2004.00010, Proposition 12):
 *
 * ```
 *  ε = min_α  ε(α) + ln(1 − 1/α) − ln(δα) / (α − 1)
 * ```
 *
 * 0 where an order's divergence alone keeps the total variation within δ.
 */
export function rdpEpsilon(curve: RdpCurve, delta: number): RdpEpsilon {
  requireDelta(delta);
  let best: RdpEpsilon = { epsilon: Number.POSITIVE_INFINITY, order: ORDERS[0] };
  ORDERS.forEach((order, i) => {
    const rdp = curve[i];
    if (!Number.isFinite(rdp)) return;
    const converted = rdp + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1);
    // Bretagnolle and Huber: TV ≤ √(1 − e^{−KL}), and KL is at most the divergence of any order.
    const epsilon = delta * delta + Math.expm1(-rdp) > 0 ? 0 : Math.max(0, converted);
    if (epsilon < best.epsilon) best = { epsilon, order };
  });
  return best;
}

/** δ at an ε (the same proposition), and never more than the total variation. */
export function rdpDelta(curve: RdpCurve, epsilon: number): number {
  let log = 0;
  ORDERS.forEach((order, i) => {
    const rdp = curve[i];
    if (!Number.isFinite(rdp)) return;
    const converted = (order - 1) * (rdp - epsilon + Math.log1p(-1 / order)) - Math.log(order);
    const variation = 0.5 * Math.log(-Math.expm1(-rdp));
    log = Math.min(log, converted, variation);
  });
  return Math.exp(log);
}

/**
 * The conversion of Mironov 2017 (arXiv 1702.07476, Proposition 3), ε = min_α ε(α) + ln(1/δ) / (α − 1): looser, and what
 * older papers' tables were made with.
 */
export function classicEpsilon(rdp: (order: number) => number, orders: readonly number[], delta: number): number {
  requireDelta(delta);
  return Math.min(...orders.map((order) => rdp(order) - Math.log(delta) / (order - 1)));
}

function requireDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`a δ of ${delta} does not lie between 0 and 1`);
}
