import type { ParameterVector } from "../parameters.ts";

/** What a round hands to the algorithm: the mean of the survivors' updates, and nothing about any one of them. */
export interface Aggregate {
  /** Σ w_k Δ_k / Σ w_k, Δ_k being trained minus received parameters. One value a parameter. */
  readonly delta: Float32Array;
  /** Σ w_k. */
  readonly weight: number;
  readonly survivors: number;
}

/** What an algorithm carries from round to round. */
export interface AlgorithmState {
  /** The global model, broadcast in the next round. */
  readonly parameters: ParameterVector;
}

/**
 * The coordinator's half of a federated algorithm: a pure function from state to state. A state is never changed in
 * place, so one that was saved is one that can be gone on from.
 */
export interface Algorithm<State extends AlgorithmState = AlgorithmState> {
  readonly name: string;
  /** The state before the first round. */
  init(parameters: ParameterVector): State;
  /**
   * The state after a round.
   * @throws {RangeError} when the update has another length than the model.
   */
  next(state: State, aggregate: Aggregate): State;
  /** Everything but the parameters, which a checkpoint holds anyway. */
  encode(state: State): Uint8Array;
  /**
   * Inverse of {@link encode}, to the bit.
   * @throws {RangeError} for bytes that no state of this algorithm encodes to.
   */
  decode(parameters: ParameterVector, bytes: Uint8Array): State;
}

export function expectSameLength(parameters: ParameterVector, delta: Float32Array): void {
  if (delta.length !== parameters.length) {
    throw new RangeError(`an update of ${delta.length} values for a model of ${parameters.length} parameters`);
  }
}
