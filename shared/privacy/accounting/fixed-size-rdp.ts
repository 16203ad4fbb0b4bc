import { gaussianRdp } from "./gaussian-rdp.ts";

/**
 * The Gaussian mechanism on m of n, drawn without replacement, replacing one (Wang, Balle and Kasiviswanathan 2019, arXiv
 * 1808.00087, Theorem 27), q = m / n:
 *
 * ```
 *  ε'(α) = 1/(α−1) · ln ( 1 + q² C(α,2) min { 4 (e^{ε(2)} − 1), 2 e^{ε(2)} } + Σ_{j≥3} q^j C(α,j) min { 4 √(B(2⌊j/2⌋) B(2⌈j/2⌉)), 2 e^{(j−1) ε(j)} } )
 *  B(l) = Σ_i (−1)^i C(l, i) e^{(i−1) ε(i)}
 * ```
 *
 * Between whole orders (α − 1) ε'(α) is convex, so that a chord bounds it.
 *
 * @param noiseMultiplier noise over the sensitivity of replacing one, which is twice the clip norm
 */
export function fixedSizeGaussianRdp(
  population: number,
  cohort: number,
  noiseMultiplier: number,
): (order: number) => number {
  const q = cohort / population;
  if (!(q > 0 && q <= 1)) throw new RangeError(`${cohort} of ${population} are no sample`);
  const rdp = gaussianRdp(noiseMultiplier);
  if (q === 1) return rdp;
  const moments = new Map<number, number>();
  const differences = alternatingSums((i) => ((i - 1) * i) / (2 * noiseMultiplier ** 2), MOST_DIFFERENCES);

  function whole(order: number): number {
    if (order <= 1) return 0;
    const known = moments.get(order);
    if (known !== undefined) return known;
    const terms = [0];
    let logBinomial = 0;
    for (let j = 1; j <= order; j++) {
      logBinomial += Math.log(order - j + 1) - Math.log(j);
      if (j < 2) continue;
      const loose = Math.log(2) + (j - 1) * rdp(j);
      const tight =
        j === 2
          ? Math.log(4) + Math.log(Math.expm1(rdp(2)))
          : Math.log(4) +
            0.5 * ((differences[2 * Math.floor(j / 2)] ?? Infinity) + (differences[2 * Math.ceil(j / 2)] ?? Infinity));
      terms.push(j * Math.log(q) + logBinomial + Math.min(loose, tight));
    }
    const most = Math.max(...terms);
    const value = most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
    moments.set(order, value);
    return value;
  }

  return (order) => {
    const below = Math.floor(order);
    const part = order - below;
    const moment = part === 0 ? whole(order) : (1 - part) * whole(below) + part * whole(below + 1);
    return Math.min(moment / (order - 1), rdp(order));
  };
}

/** Beyond it the looser term is taken: differences of so high an order are lost to rounding, and never the smaller one. */
const MOST_DIFFERENCES = 256;

/**
 * ln |Σ_i (−1)^i C(l, i) e^{f(i)}| for l = 0 … most: differences of differences, in logarithms because their terms leave
 * every double's range.
 */
function alternatingSums(logs: (i: number) => number, most: number): Float64Array {
  let values = Array.from({ length: most + 1 }, (_, i) => ({ log: logs(i), sign: 1 }));
  const sums = new Float64Array(most + 1);
  for (let l = 0; l <= most; l++) {
    sums[l] = values[0].log;
    values = values.slice(1).map((upper, i) => difference(upper, values[i]));
  }
  return sums;
}

interface SignedLog {
  readonly log: number;
  readonly sign: number;
}

/** a − b */
function difference(a: SignedLog, b: SignedLog): SignedLog {
  const [large, small] = a.log >= b.log ? [a, b] : [b, a];
  const ratio = Math.exp(small.log - large.log);
  const isSum = a.sign !== b.sign;
  const log = large.log + (isSum ? Math.log1p(ratio) : Math.log1p(-ratio));
  const sign = large === a ? a.sign : -b.sign;
  return { log, sign };
}
