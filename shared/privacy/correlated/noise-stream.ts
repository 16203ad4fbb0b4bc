import type { ToeplitzFactor } from "./toeplitz.ts";

/** The past noise vectors C⁻¹z that later rounds need, the latest last: at most bands − 1 of them. Plain data. */
export interface NoiseState {
  readonly round: number;
  readonly past: readonly Float64Array[];
}

export const INITIAL_NOISE: NoiseState = { round: 0, past: [] };

/**
 * The next round's noise x of x = C⁻¹z, by forward substitution: x_t = (z_t − Σ_{j ≥ 1} c_j x_{t−j}) / c_0. It holds
 * bands − 1 vectors, however many rounds there are.
 *
 * @param fresh z_t: independent noise, of the standard deviation noise multiplier · sensitivity · clip norm.
 * @throws {RangeError} after the factor's last round, for a vector of another length than the past ones, and for a state
 * that another factor left.
 */
export function nextNoise(
  factor: ToeplitzFactor,
  state: NoiseState,
  fresh: Float64Array,
): { readonly noise: Float64Array; readonly state: NoiseState } {
  const { rounds, coefficients } = factor;
  const { round, past } = state;
  if (round >= rounds) throw new RangeError(`the factor is one for ${rounds} rounds, and they are over`);
  const kept = Math.min(round, coefficients.length - 1);
  if (past.length !== kept) throw new RangeError(`round ${round} needs ${kept} past noise vectors, not ${past.length}`);
  const noise = Float64Array.from(fresh);
  for (let j = 1; j <= kept; j++) {
    const before = past[past.length - j];
    if (before.length !== noise.length) {
      throw new RangeError(`noise of ${noise.length} coordinates follows noise of ${before.length}`);
    }
    const coefficient = coefficients[j];
    for (let i = 0; i < noise.length; i++) noise[i] -= coefficient * before[i];
  }
  const scale = 1 / coefficients[0];
  for (let i = 0; i < noise.length; i++) noise[i] *= scale;
  const longest = coefficients.length - 1;
  return { noise, state: { round: round + 1, past: longest === 0 ? [] : [...past, noise].slice(-longest) } };
}
