/**
 * Orders at which Rényi divergences are kept (`privacy.md` 2.1). Adding orders can only lower an ε; these are the ones that
 * published values were computed at.
 */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => (11 + i) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  128,
  256,
  512,
  1024,
];

/** Divergences by order: one release, or several that are added up. */
export type RdpCurve = Float64Array;

/** @param rdp by order; infinite where it has no value at an order */
export function rdpCurve(rdp: (order: number) => number): RdpCurve {
  return Float64Array.from(ORDERS, rdp);
}

/** Of a mechanism that is accounted at whole orders alone. */
export function wholeOrderCurve(rdp: (order: number) => number): RdpCurve {
  return rdpCurve((order) => (Number.isInteger(order) && order >= 2 ? rdp(order) : Number.POSITIVE_INFINITY));
}

/** Releases one after another, each of which may depend on what the earlier ones released: their divergences add up. */
export function composedRdp(parts: readonly { readonly curve: RdpCurve; readonly times: number }[]): RdpCurve {
  const total = new Float64Array(ORDERS.length);
  // Infinity times no release is none.
  for (const { curve, times } of parts)
    if (times > 0) for (let i = 0; i < total.length; i++) total[i] += times * curve[i];
  return total;
}
