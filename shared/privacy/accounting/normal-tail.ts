/**
 * The standard normal distribution function and its tails, to about 1e-15 relative error however far out: privacy
 * accounting subtracts such tails from each other. (JavaScript has no erfc.) The inverse is `normalQuantile`.
 *
 * Everything rests on one scaled tail, (1 + x)·e^{x²/2}·Φ̄(x), which for 0 ≤ x < ∞ lies between ½ and 1/√(2π) and is
 * smooth in t = (x − 5)/(x + 5): a Chebyshev series of 25 terms, the form that Shepherd and Laframboise give for erfc
 * (Math. Comp. 36, 1981). Its coefficients were computed with 40 digits.
 */

/** Φ̄(x) = Pr[N(0, 1) > x]. */
export function normalTail(x: number): number {
  if (x < 0) return 1 - normalTail(-x);
  return x > 40 ? 0 : gaussianFactor(x) * (scaledTail(x) / (1 + x));
}

/** Φ(x) = Pr[N(0, 1) ≤ x]. */
export function normalCdf(x: number): number {
  return normalTail(-x);
}

/** ln Φ̄(x), also where Φ̄(x) is below the smallest double. */
export function logNormalTail(x: number): number {
  if (x < 0) return Math.log1p(-normalTail(-x));
  return Math.log(scaledTail(x) / (1 + x)) - (x / 2) * x;
}

/** Φ̄(x) / e^{−x²/2} for x ≥ 0: Mills' ratio over √(2π). Two tails are subtracted in this form without a common factor. */
export function scaledNormalTail(x: number): number {
  return scaledTail(x) / (1 + x);
}

/** e^{−x²/2}. The square is taken in two parts, because an error in it is an error of the result times x²/2. */
export function gaussianFactor(x: number): number {
  const high = Math.fround(x);
  return Math.exp(-0.5 * high * high) * Math.exp(-0.5 * (x - high) * (x + high));
}

/** Clenshaw's recurrence. At x = ∞ the scaled tail is its limit 1/√(2π). */
function scaledTail(x: number): number {
  const t = x > 1e16 ? 1 : (x - 5) / (x + 5);
  let next = 0;
  let last = 0;
  for (let k = COEFFICIENTS.length - 1; k >= 1; k--) {
    const value = 2 * t * next - last + COEFFICIENTS[k];
    last = next;
    next = value;
  }
  return t * next - last + COEFFICIENTS[0];
}

const COEFFICIENTS = Float64Array.of(
  0.4619742120721857,
  -0.06516520239491264,
  -0.005458781501136567,
  0.01229619904556344,
  -0.006470872915703688,
  0.0022407355224168305,
  -0.0005638623774651974,
  9.984031082925812e-5,
  -9.849514843168493e-6,
  -4.032494233045217e-7,
  2.99023962013034e-7,
  -3.032070748442814e-8,
  -4.617665713929027e-9,
  1.3298288008382692e-9,
  3.007242719019045e-11,
  -4.4299537255328156e-11,
  1.3999857147018152e-12,
  1.4718957028912571e-12,
  -9.325953119165372e-14,
  -5.294681169067695e-14,
  3.958188414414517e-15,
  2.1048214642963194e-15,
  -1.345671286136144e-16,
  -9.097614914495833e-17,
  2.9906032105666553e-18,
);
