import {
  type Algorithm,
  type AlgorithmState,
  broadcastParameters,
  expectLength,
  requireServerLr,
} from "./algorithm.ts";

export interface FedAvgOptions {
  /** η, 1 in McMahan et al. */
  readonly serverLr: number;
}

export interface FedAvgState extends AlgorithmState {
  /** t, the number of rounds that have been applied. */
  readonly round: number;
}

/**
 * Federated averaging: w_{t+1} ← w_t + η · Σ_k (n_k / n) Δ_k.
 *
 * With η = 1 this is line "w_{t+1} ← Σ_k (n_k / n) w^k_{t+1}" of Algorithm 1 in McMahan et al. 2017 (arXiv 1602.05629),
 * since w^k_{t+1} = w_t + Δ_k; with another η it is FedOpt with SGD as server optimiser (Reddi et al. 2021, arXiv
 * 2003.00295, Algorithm 1 and equation 1). Each coordinate is computed in double precision and rounded once.
 */
export function fedAvg({ serverLr }: FedAvgOptions): Algorithm<FedAvgState> {
  requireServerLr(serverLr);
  return {
    name: "fedavg",
    init: (parameters) => ({ parameters, round: 0 }),
    broadcast: broadcastParameters,
    next(state, { delta }) {
      expectLength(state.parameters.length, delta);
      return { parameters: step(state.parameters, delta, serverLr), round: state.round + 1 };
    },
    encode(state) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, state.round);
      return bytes;
    },
    decode(parameters, bytes) {
      if (bytes.length !== 4) throw new RangeError(`a FedAvg state has 4 bytes, not ${bytes.length}`);
      return { parameters, round: new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) };
    },
  };
}

/** w + η · Δ, a fresh vector. */
function step(parameters: Float32Array, delta: Float32Array, rate: number): Float32Array {
  const next = new Float32Array(parameters.length);
  for (let i = 0; i < next.length; i++) next[i] = parameters[i] + rate * delta[i];
  return next;
}
