/**
 * A sum of integer noises with what one device can change of it, all in units of the grid.
 */
export interface DistributedNoise {
  /** Δ₂: the most that one device adds to the sum, L2 norm. */
  readonly sensitivity: number;
  /** n: shares that are counted on. */
  readonly shares: number;
  /** σ: standard deviation of a share. */
  readonly deviation: number;
  /** d */
  readonly dimension: number;
}

/**
 * Rényi divergence of order α of one release under the sum of n discrete Gaussians, which is no discrete Gaussian
 * (Kairouz, Liu and Steinke 2021, arXiv 2102.06387, Proposition 14):
 *
 * ```
 *  τ = 10 Σ_{k=1}^{n−1} exp(−2π² σ² k / (k + 1))
 *  ε(α) = α/2 · min { l₂² + 2τd/α , l₂² + 2 l₁ τ + τ² d , (l₂ + √d τ)² }      l_i = Δ_i / (√n σ), Δ₁ ≤ Δ₂ min(√d, Δ₂)
 * ```
 *
 * The first term's τd is not multiplied by α, as in the paper's proof for the divergence of each order.
 */
export function discreteGaussianSumRdp(noise: DistributedNoise): (order: number) => number {
  const { sensitivity, shares, deviation, dimension } = noise;
  const tau = sumOfGaussiansGap(shares, deviation);
  const spread = Math.sqrt(shares) * deviation;
  const l2 = sensitivity / spread;
  const l1 = largestL1(noise) / spread;
  const second = l2 * l2 + 2 * l1 * tau + tau * tau * dimension;
  const third = (l2 + Math.sqrt(dimension) * tau) ** 2;
  return (order) => Math.min((order / 2) * l2 * l2 + tau * dimension, (order / 2) * second, (order / 2) * third);
}

/** τ: how far, coordinate by coordinate, a sum of n discrete Gaussians can be from one of n times the variance. */
export function sumOfGaussiansGap(shares: number, deviation: number): number {
  let sum = 0;
  for (let k = 1; k < shares; k++) sum += Math.exp(-2 * Math.PI ** 2 * deviation ** 2 * (k / (k + 1)));
  return 10 * sum;
}

/**
 * Rényi divergence of order α of one release under Skellam noise, of which a sum is Skellam again (Agarwal, Kairouz and Liu
 * 2021, arXiv 2110.04995, Theorem 3.5, in units of the grid), μ = n σ²:
 *
 * ```
 *  ε(α) = α Δ₂² / 2μ + min { ((2α − 1) Δ₂² + 6 Δ₁) / 4μ² , 3 Δ₁ / 2μ }
 * ```
 */
export function skellamRdp(noise: DistributedNoise): (order: number) => number {
  const { sensitivity, shares, deviation } = noise;
  const variance = shares * deviation ** 2;
  const l1 = largestL1(noise);
  const square = sensitivity * sensitivity;
  return (order) =>
    (order * square) / (2 * variance) +
    Math.min(((2 * order - 1) * square + 6 * l1) / (4 * variance * variance), (3 * l1) / (2 * variance));
}

/** Δ₁: of whole numbers the L1 norm is at most the square of the L2 norm. */
function largestL1({ sensitivity, dimension }: DistributedNoise): number {
  return sensitivity * Math.min(Math.sqrt(dimension), sensitivity);
}
