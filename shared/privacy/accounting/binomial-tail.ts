import { logBinomialPoint } from "../../secagg/hypergeometric.ts";

/** Pr[Bin(n, p) ≥ k], relative to itself to about 1e-12 however small. */
export function binomialUpperTail(n: number, p: number, k: number): number {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return regularisedBeta(p, k, n - k + 1);
}

/**
 * I_x(a, b), the regularised incomplete beta function, for integers a, b ≥ 1: the distribution function of the beta
 * distribution, and Pr[Bin(a + b − 1, x) ≥ a]. DLMF 8.17.22, a continued fraction, evaluated by Lentz's method where it
 * converges fast, and elsewhere 1 minus its mirror image.
 */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a);
  // x^a (1 − x)^b / (a·B(a, b)) is Pr[Bin(a + b − 1, x) = a] times 1 − x.
  const point = Math.exp(logBinomialPoint(a, a + b - 1, x, 1 - x));
  return point * (1 - x) * betaFraction(x, a, b);
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1), tiny);
  let fraction = d;
  for (let m = 1; m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d, tiny);
    c = nonZero(1 + even / c, tiny);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d, tiny);
    c = nonZero(1 + odd / c, tiny);
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) < 2 ** -52) break;
  }
  return fraction;
}

const nonZero = (value: number, least: number) => (Math.abs(value) < least ? least : value);
