import {
  type Algorithm,
  type AlgorithmState,
  broadcastParameters,
  expectLength,
  requireDecay,
  requireServerLr,
} from "./algorithm.ts";
import { decodeVectors, encodeVectors } from "./state-vectors.ts";

export interface FedAvgMOptions {
  /** η. Hsu et al. have 1. */
  readonly serverLr: number;
  /** β, 0.9 in most of their experiments. */
  readonly momentum: number;
}

export interface FedAvgMState extends AlgorithmState {
  readonly velocity: Float32Array;
}

/**
 * Federated averaging with server momentum (Hsu, Qi and Brown 2019, arXiv 1909.06335, section 4.2): v ← β v + Δw,
 * w ← w − v. Their Δw = Σ (n_k / n) Δw_k is the way from the devices' models to the server's, so it is −Δ here:
 *
 *   v_t = β v_{t−1} + Δ_t,  w_{t+1} = w_t + η v_t
 *
 * and with η it is FedOpt with SGD with momentum as server optimiser (Reddi et al. 2021, arXiv 2003.00295, section 3).
 */
export function fedAvgM({ serverLr, momentum }: FedAvgMOptions): Algorithm<FedAvgMState> {
  requireServerLr(serverLr);
  requireDecay("momentum", momentum);
  return {
    name: "fedavgm",
    init: (parameters) => ({ parameters, velocity: new Float32Array(parameters.length) }),
    broadcast: broadcastParameters,
    next({ parameters, velocity }, { delta }) {
      expectLength(parameters.length, delta);
      const v = combine(velocity, momentum, delta, 1);
      return { parameters: combine(parameters, 1, v, serverLr), velocity: v };
    },
    encode: ({ velocity }) => encodeVectors(velocity),
    decode(parameters, bytes) {
      const [velocity] = decodeVectors(bytes, 1, parameters.length);
      return { parameters, velocity };
    },
  };
}

/** a · x + b · y, each coordinate rounded once. */
function combine(x: Float32Array, a: number, y: Float32Array, b: number): Float32Array {
  const result = new Float32Array(x.length);
  for (let i = 0; i < result.length; i++) result[i] = a * x[i] + b * y[i];
  return result;
}
