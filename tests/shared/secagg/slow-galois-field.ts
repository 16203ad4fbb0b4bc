/**
 * GF(2^8) modulo 0x11b and Shamir's scheme as one would write them on a blackboard: carry-less multiplication and
 * reduction, powers by repeated multiplication. The reference that the fast code is held to.
 */
export function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if ((b >> bit) & 1) product ^= a << bit;
  for (let degree = 14; degree >= 8; degree--) if ((product >> degree) & 1) product ^= 0x11b << (degree - 8);
  return product;
}

export function slowInverse(a: number): number {
  for (let b = 1; b < 256; b++) if (slowMultiply(a, b) === 1) return b;
  throw new RangeError("zero has no inverse");
}

/** Σ coefficients[i] · x^i. */
export function slowEvaluate(coefficients: readonly number[], x: number): number {
  let value = 0;
  let power = 1;
  for (const coefficient of coefficients) {
    value ^= slowMultiply(coefficient, power);
    power = slowMultiply(power, x);
  }
  return value;
}

/** The value at `at` of the polynomial of least degree through the points (Lagrange's formula). */
export function slowInterpolate(points: readonly (readonly [number, number])[], at: number): number {
  let sum = 0;
  for (const [xi, yi] of points) {
    let term = yi;
    for (const [xj] of points) {
      if (xj !== xi) term = slowMultiply(term, slowMultiply(at ^ xj, slowInverse(xi ^ xj)));
    }
    sum ^= term;
  }
  return sum;
}
