/** A fraction of whole numbers, its denominator positive: variances are exact. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/**
 * The fraction that a double is, exactly.
 * @throws {RangeError} unless it is finite and not negative
 */
export function rationalOf(value: number): Rational {
  if (!(value >= 0 && Number.isFinite(value))) throw new RangeError(`${value} is no variance`);
  let numerator = value;
  let denominator = 1n;
  // A double is a whole number over a power of two.
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(numerator), denominator };
}
