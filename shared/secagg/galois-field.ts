/**
 * GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (0x11b), the field of AES (FIPS 197, section 4.2). Addition is XOR.
 *
 * These are table look-ups, so their time depends on the operands through the cache. They are for public values only:
 * slots, Lagrange weights, and shares that the coordinator was sent in order to open them. Secrets that must stay secret
 * go through the kernel in `secret-sharing.ts`.
 */

/** Powers of the generator 3, twice over, so that a sum of two logarithms needs no reduction. */
const POWERS = new Uint8Array(510);
const LOGARITHMS = new Uint8Array(256);

for (let exponent = 0, power = 1; exponent < 255; exponent++) {
  POWERS[exponent] = power;
  POWERS[exponent + 255] = power;
  LOGARITHMS[power] = exponent;
  // Times 3: times x, reduced, plus itself.
  power ^= ((power << 1) & 0xff) ^ ((power >> 7) * 0x1b);
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : POWERS[LOGARITHMS[a] + LOGARITHMS[b]];
}

/** a / b; b is not zero. */
export function divide(a: number, b: number): number {
  if (b === 0) throw new RangeError("division by zero in GF(2^8)");
  return a === 0 ? 0 : POWERS[LOGARITHMS[a] + 255 - LOGARITHMS[b]];
}

/**
 * The part of Lagrange's formula that only the points decide: b_i = 1 / Π_{j≠i} (x_i - x_j). The points are distinct
 * bytes; O(points^2).
 */
export function barycentricWeights(points: readonly number[]): Uint8Array {
  const weights = new Uint8Array(points.length);
  for (let i = 0; i < points.length; i++) {
    let denominator = 1;
    for (let j = 0; j < points.length; j++) if (j !== i) denominator = multiply(denominator, points[i] ^ points[j]);
    weights[i] = divide(1, denominator);
  }
  return weights;
}

/**
 * The weights w with f(at) = Σ w_i · f(x_i) for every polynomial f of degree below `points.length`, from the points'
 * barycentric weights: w_i = b_i · Π_j (at - x_j) / (at - x_i) (Berrut and Trefethen, SIAM Review 2004, section 3).
 * `at` is none of the points; O(points).
 */
export function lagrangeWeights(points: readonly number[], barycentric: Uint8Array, at: number): Uint8Array {
  let node = 1;
  for (let i = 0; i < points.length; i++) node = multiply(node, at ^ points[i]);
  return barycentric.map((weight, i) => multiply(weight, divide(node, at ^ points[i])));
}
