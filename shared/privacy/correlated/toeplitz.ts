/**
 * Factorisations A = BC of the prefix-sum matrix (lower triangular, all ones) by a lower-triangular Toeplitz matrix C,
 * given by its first column: noise C⁻¹z instead of z is added to each round's sum, so that what is added in one round is
 * partly taken back in the next ones and the model, a sum over rounds, carries less of it.
 */
export interface ToeplitzFactor {
  readonly rounds: number;
  /** c_0, c_1, … of C; what is not there is 0. */
  readonly coefficients: Float64Array;
}

/**
 * The square root of the prefix-sum matrix, C·C = A: c_0 = 1, c_k = c_{k−1}·(2k − 1)/(2k), that is C(2k, k)/4^k
 * (Fichtenberger, Henzinger, Upadhyay 2023). Among Toeplitz factorisations it is optimal in the maximum error but for a
 * constant that vanishes. Cut to the first `bands` coefficients it is banded, and its noise needs `bands` − 1 past
 * vectors only.
 *
 * @throws {RangeError} unless 1 ≤ bands ≤ rounds, both integers.
 */
export function squareRootFactor(rounds: number, bands: number = rounds): ToeplitzFactor {
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError(`there is at least one round, not ${rounds}`);
  if (!Number.isSafeInteger(bands) || bands < 1 || bands > rounds) {
    throw new RangeError(`a factor for ${rounds} rounds has 1 to ${rounds} bands, not ${bands}`);
  }
  const coefficients = new Float64Array(bands);
  coefficients[0] = 1;
  for (let k = 1; k < bands; k++) coefficients[k] = (coefficients[k - 1] * (2 * k - 1)) / (2 * k);
  return { rounds, coefficients };
}

/** The first column of C⁻¹, as many entries as there are rounds: c_0·r_k = [k = 0] − Σ_{j ≥ 1} c_j r_{k−j}. */
export function inverseCoefficients({ rounds, coefficients }: ToeplitzFactor): Float64Array {
  const inverse = new Float64Array(rounds);
  for (let k = 0; k < rounds; k++) {
    let value = k === 0 ? 1 : 0;
    for (let j = 1; j < coefficients.length && j <= k; j++) value -= coefficients[j] * inverse[k - j];
    inverse[k] = value / coefficients[0];
  }
  return inverse;
}

/**
 * The greatest standard deviation of a prefix sum's noise, for unit noise z over unit sensitivity of C to a single
 * participation: (greatest row norm of B = A·C⁻¹) · (greatest column norm of C). Independent noise has √rounds.
 */
export function maximumErrorFactor(factor: ToeplitzFactor): number {
  let prefix = 0;
  let squares = 0;
  // B is Toeplitz too, its first column the prefix sums of that of C⁻¹; its last row is the longest.
  for (const value of inverseCoefficients(factor)) {
    prefix += value;
    squares += prefix * prefix;
  }
  return Math.sqrt(squares) * columnNorm(factor);
}

/** ‖C_{:,0}‖₂, the longest column: the sensitivity to one participation of norm 1. */
export function columnNorm({ coefficients }: ToeplitzFactor): number {
  let squares = 0;
  for (const value of coefficients) squares += value * value;
  return Math.sqrt(squares);
}
