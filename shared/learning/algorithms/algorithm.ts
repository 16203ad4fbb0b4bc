import type { DeviceProcedure } from "../device-procedure.ts";
import type { LocalTraining } from "../local-training.ts";
import type { ParameterVector } from "../parameters.ts";

/** What a round hands to the algorithm: the mean of the survivors' updates, and nothing about any one of them. */
export interface Aggregate {
  /** Σ w_k Δ_k / Σ w_k, Δ_k being what the device's half answers with: as many values as the broadcast. */
  readonly delta: Float32Array;
  /** Σ w_k. */
  readonly weight: number;
  readonly survivors: number;
  /** Under adaptive clipping: the noised share of updates within the clip norm. */
  readonly withinNorm?: number;
}

/** What an algorithm carries from round to round. */
export interface AlgorithmState {
  /** The global model. */
  readonly parameters: ParameterVector;
}

/**
 * The coordinator's half of a federated algorithm: a pure function from state to state. A state is never changed in
 * place, so one that was saved is one that can be gone on from. The device's half is `device-half.ts`.
 */
export interface Algorithm<State extends AlgorithmState = AlgorithmState> {
  readonly name: string;
  /** What devices do beside training; absent: nothing. */
  readonly procedure?: DeviceProcedure["kind"];
  /** What the algorithm adds to the training that the configuration asks for. */
  readonly training?: Pick<LocalTraining, "proximalMu">;
  /** The state before the first round. */
  init(parameters: ParameterVector): State;
  /** What the next round's devices are sent: this vector's hash is what a round agrees on. */
  broadcast(state: State): Float32Array;
  /** Models that newer ones have replaced and that devices may still answer for, the newest first; absent: none. */
  earlier?(state: State): readonly ParameterVector[];
  /**
   * The state after a round.
   * @throws {RangeError} when the update has another length than the broadcast.
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

/** The broadcast of an algorithm that sends the model and nothing else. */
export function broadcastParameters({ parameters }: AlgorithmState): Float32Array {
  return parameters;
}

export function expectLength(sent: number, { length }: Float32Array): void {
  if (length !== sent) throw new RangeError(`an update of ${length} values where ${sent} were sent`);
}

export function requireServerLr(serverLr: number): void {
  if (!(Number.isFinite(serverLr) && serverLr > 0)) {
    throw new RangeError(`a server learning rate is a positive number, not ${serverLr}`);
  }
}

/** A weight of the past: 0 ≤ β < 1. */
export function requireDecay(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${name} is at least 0 and less than 1, not ${value}`);
}
