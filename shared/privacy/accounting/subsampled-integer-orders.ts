/**
 * Rényi divergence of one release under Poisson sampling at rate q, at whole orders, of a mechanism whose noise is
 * symmetric: mapping x to v − x swaps its two outputs, so that removing is the worse direction (Mironov, Talwar and Zhang
 * 2019, arXiv 1908.10530, section 3), and its expansion is exact (`privacy.md` 1.4):
 *
 * ```
 *  ε'(α) = 1/(α−1) · ln [ (1−q)^α + αq(1−q)^{α−1} + Σ_{l≥2} C(α,l) (1−q)^{α−l} q^l e^{(l−1) ε(l)} ]
 * ```
 *
 * and never more than ε(α), which it is without sampling.
 *
 * @param rate q, 0 < q ≤ 1
 * @param rdp ε(l) of the mechanism without sampling, at whole orders from 2
 */
export function subsampledRdp(rate: number, rdp: (order: number) => number): (order: number) => number {
  if (!(rate > 0 && rate <= 1)) throw new RangeError(`a sampling rate of ${rate} is not in (0, 1]`);
  if (rate === 1) return rdp;
  const known = new Map<number, number>();
  const cached = (order: number): number => {
    const value = known.get(order) ?? rdp(order);
    known.set(order, value);
    return value;
  };
  return (order) => {
    if (!Number.isInteger(order) || order < 2) throw new RangeError(`order ${order} is no whole number from 2`);
    const terms = new Float64Array(order + 1);
    let logBinomial = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let l = 0; l <= order; l++) {
      const divergence = l < 2 ? 0 : (l - 1) * cached(l);
      terms[l] = logBinomial + (order - l) * Math.log1p(-rate) + l * Math.log(rate) + divergence;
      if (terms[l] > most) most = terms[l];
      logBinomial += Math.log(order - l) - Math.log(l + 1);
    }
    if (most === Number.POSITIVE_INFINITY) return cached(order);
    let sum = 0;
    for (const term of terms) sum += Math.exp(term - most);
    return Math.max(0, Math.min((most + Math.log(sum)) / (order - 1), cached(order)));
  };
}
