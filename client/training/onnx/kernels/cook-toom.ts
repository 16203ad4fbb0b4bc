export type Matrix = readonly (readonly number[])[];

/**
 * Matrices of a minimal algorithm for m outputs of a correlation with r taps, y_i = Σ_j g_j d_(i+j), from m + r − 1 inputs:
 *
 *     y = Aᵀ [(G g) ⊙ (Bᵀ d)]        Aᵀ [m, α], G [α, r], Bᵀ [α, α], α = m + r − 1 products instead of m · r
 *
 * Winograd 1980; Lavin and Gray 2016 (arXiv 1509.09308), equation 5. By Cook and Toom's construction: polynomials are
 * multiplied as their values at α points, the last of them infinity.
 */
export interface MinimalAlgorithm {
  readonly products: number;
  readonly output: Matrix;
  readonly filter: Matrix;
  readonly input: Matrix;
}

/** In this order because small points, and their reciprocals, lose fewest digits (Barabasz et al. 2020, arXiv 1803.10986). */
const POINTS = [0, 1, -1, 2, -0.5, -2, 0.5];
export const MOST_PRODUCTS = POINTS.length + 1;

export function cookToom(outputs: number, taps: number): MinimalAlgorithm {
  const products = outputs + taps - 1;
  if (products > MOST_PRODUCTS) throw new RangeError(`A minimal algorithm of ${products} products.`);
  const points = POINTS.slice(0, products - 1);
  const last = (length: number) => Array.from({ length }, (_, i) => (i === length - 1 ? 1 : 0));
  const powers = (length: number) => points.map((x) => Array.from({ length }, (_, i) => x ** i));
  // Lagrange's denominators, Π (x_k − x_j) over j ≠ k, go into G, and his numerators into Bᵀ.
  const denominators = points.map((x) => points.reduce((product, y) => (y === x ? product : product * (x - y)), 1));
  const numerators = points.map((x) => [...polynomialWithRoots(points.filter((y) => y !== x)), 0]);
  return {
    products,
    output: transposed([...powers(outputs), last(outputs)]),
    filter: [...powers(taps).map((row, k) => row.map((value) => value / denominators[k])), last(taps)],
    input: [...numerators, polynomialWithRoots(points)],
  };
}

/** Coefficients of Π (x − root), the constant first. */
function polynomialWithRoots(roots: readonly number[]): number[] {
  let coefficients = [1];
  for (const root of roots) {
    coefficients = Array.from(
      { length: coefficients.length + 1 },
      (_, i) => (coefficients[i - 1] ?? 0) - root * (coefficients[i] ?? 0),
    );
  }
  return coefficients;
}

export function transposed(matrix: Matrix): Matrix {
  return matrix[0].map((_, column) => matrix.map((row) => row[column]));
}

/** Kronecker's product: rows and columns are numbered by `left` first. */
export function kronecker(left: Matrix, right: Matrix): Matrix {
  return left.flatMap((a) => right.map((b) => a.flatMap((x) => b.map((y) => x * y))));
}
