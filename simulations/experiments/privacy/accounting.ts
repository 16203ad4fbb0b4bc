/** STAND-IN until shared/privacy/accounting is there: integer orders only. */
export const ORDERS: readonly number[] = [...Array.from({ length: 62 }, (_, i) => i + 2), 128, 256];

/** Rényi divergence of one round, by order: Poisson sampling at rate q, noise multiplier z. */
export function poissonGaussianRdp(q: number, z: number): Float64Array {
  return Float64Array.from(ORDERS, (order) => {
    if (q === 1) return order / (2 * z * z);
    const terms: number[] = [];
    let logBinomial = 0;
    for (let k = 0; k <= order; k++) {
      terms.push(logBinomial + (order - k) * Math.log1p(-q) + k * Math.log(q) + (k * k - k) / (2 * z * z));
      logBinomial += Math.log(order - k) - Math.log(k + 1);
    }
    const most = Math.max(...terms);
    return (most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0))) / (order - 1);
  });
}

export function rdpEpsilon(rdp: Float64Array, delta: number): number {
  return Math.max(
    0,
    Math.min(...ORDERS.map((order, i) => rdp[i] + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1))),
  );
}

export function calibrate(epsilonOf: (z: number) => number, target: number): number {
  let low = 0.05;
  let high = 0.1;
  while (epsilonOf(high) > target) {
    low = high;
    high *= 2;
    if (high > 1e6) throw new RangeError("no noise reaches the target");
  }
  for (let i = 0; i < 60 && high - low > 1e-9 * high; i++) {
    const middle = (low + high) / 2;
    if (epsilonOf(middle) > target) low = middle;
    else high = middle;
  }
  return high;
}
