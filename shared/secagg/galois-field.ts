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
 * The weights w with f(at) = Σ w_i · f(x_i) for every polynomial f of degree below `points.length` (Lagrange). The
 * points are distinct bytes; O(points^2).
 */
export function lagrangeWeights(points: readonly number[], at: number): Uint8Array {
  const weights = new Uint8Array(points.length);
  for (const [i, point] of points.entries()) {
    let numerator = 1;
    let denominator = 1;
    for (const [j, other] of points.entries()) {
      if (j === i) continue;
      numerator = multiply(numerator, at ^ other);
      denominator = multiply(denominator, point ^ other);
    }
    weights[i] = divide(numerator, denominator);
  }
  return weights;
}
