/**
 * A privacy loss distribution of a mechanism: the law of ln(P(o)/Q(o)) for an output o drawn from P, for the worst pair
 * (P, Q) of output distributions on adjacent inputs. It is pessimistic: the δ that it gives at any ε is never below the
 * mechanism's.
 *
 * The Gaussian mechanism without sampling is kept by its noise multiplier, of which everything is known exactly;
 * everything else is a distribution on a grid of losses.
 */
export type Pld = GaussianPld | GridPld;

export interface GaussianPld {
  readonly kind: "gaussian";
  /** Standard deviation over sensitivity. */
  readonly noiseMultiplier: number;
}

export interface GridPld {
  readonly kind: "grid";
  /**
   * One for (P, Q) and one for (Q, P), as with a device removed and with a device added; one alone where both are the
   * same.
   */
  readonly directions: readonly [LossDistribution] | readonly [LossDistribution, LossDistribution];
}

/** Masses of the losses (first + i)·interval, and of an infinite loss. */
export interface LossDistribution {
  readonly interval: number;
  readonly first: number;
  readonly masses: Float64Array;
  readonly infinite: number;
}

/** A mechanism and how often it is run. */
export interface Repeated<T> {
  readonly pld: T;
  readonly times: number;
}

/** The grid's step unless another is asked for: to 2e-4 of ε the distributions here are then exact. */
export const DEFAULT_INTERVAL = 1e-4;

/** A grid that would have more points takes a step of twice the size, or of 4, 8, … times. */
export const MAX_POINTS = 3 * 2 ** 19;
