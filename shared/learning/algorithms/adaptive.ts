import {
  type Algorithm,
  type AlgorithmState,
  broadcastParameters,
  expectLength,
  requireDecay,
  requireServerLr,
} from "./algorithm.ts";
import { decodeVectors, encodeVectors } from "./state-vectors.ts";

/** The three server optimisers of one paper differ in a single line. */
export type AdaptiveKind = "fedadagrad" | "fedyogi" | "fedadam";

export interface AdaptiveOptions {
  readonly kind: AdaptiveKind;
  /** η. There is no right one for all tasks: the paper searches a grid for each. */
  readonly serverLr: number;
  /** β1: 0.9 in the paper with FedAdam and FedYogi. At 0 FedAdagrad is Adagrad as it is known, without momentum. */
  readonly beta1: number;
  /** β2: 0.99 in the paper. FedAdagrad has none, and passes it over. */
  readonly beta2: number;
  /** τ, how adaptive it is: 10⁻³ in the paper. The larger, the more like SGD with momentum. */
  readonly tau: number;
}

export interface AdaptiveState extends AlgorithmState {
  /** m_t, called Δ_t in the paper's first versions. */
  readonly mean: Float32Array;
  /** v_t */
  readonly variance: Float32Array;
}

/**
 * FedAdagrad, FedYogi and FedAdam: Algorithm 2 of Reddi et al. 2021, "Adaptive Federated Optimization" (arXiv
 * 2003.00295). Its Δ_t, the mean of the devices' updates, is the aggregate's:
 *
 *   m_t = β1 m_{t−1} + (1 − β1) Δ_t
 *   v_t = v_{t−1} + Δ_t²                                     (FedAdagrad)
 *   v_t = v_{t−1} − (1 − β2) Δ_t² sign(v_{t−1} − Δ_t²)       (FedYogi)
 *   v_t = β2 v_{t−1} + (1 − β2) Δ_t²                         (FedAdam)
 *   x_{t+1} = x_t + η m_t / (√v_t + τ)
 *
 * from m_{−1} = 0 and v_{−1} = τ², the least that the algorithm's first line allows. There is no bias correction. Square
 * roots are exact to the last bit everywhere, so results do not depend on the host's mathematics.
 */
export function adaptive({ kind, serverLr, beta1, beta2, tau }: AdaptiveOptions): Algorithm<AdaptiveState> {
  requireServerLr(serverLr);
  requireDecay("beta1", beta1);
  requireDecay("beta2", beta2);
  if (!(Number.isFinite(tau) && tau > 0)) throw new RangeError(`tau is a positive number, not ${tau}`);
  const nextVariance = VARIANCES[kind];
  return {
    name: kind,
    init: (parameters) => ({
      parameters,
      mean: new Float32Array(parameters.length),
      variance: new Float32Array(parameters.length).fill(tau ** 2),
    }),
    broadcast: broadcastParameters,
    next(state, { delta }) {
      expectLength(state.parameters.length, delta);
      const mean = nextMean(state.mean, delta, beta1);
      const variance = nextVariance(state.variance, delta, beta2);
      return { parameters: step(state.parameters, mean, variance, serverLr, tau), mean, variance };
    },
    encode: ({ mean, variance }) => encodeVectors(mean, variance),
    decode(parameters, bytes) {
      const [mean, variance] = decodeVectors(bytes, 2, parameters.length);
      return { parameters, mean, variance };
    },
  };
}

const VARIANCES: Readonly<Record<AdaptiveKind, (v: Float32Array, delta: Float32Array, beta2: number) => Float32Array>> =
  { fedadagrad: adagradVariance, fedyogi: yogiVariance, fedadam: adamVariance };

function nextMean(mean: Float32Array, delta: Float32Array, beta1: number): Float32Array {
  const next = new Float32Array(mean.length);
  for (let i = 0; i < next.length; i++) next[i] = beta1 * mean[i] + (1 - beta1) * delta[i];
  return next;
}

function adagradVariance(v: Float32Array, delta: Float32Array): Float32Array {
  const next = new Float32Array(v.length);
  for (let i = 0; i < next.length; i++) next[i] = v[i] + delta[i] * delta[i];
  return next;
}

function yogiVariance(v: Float32Array, delta: Float32Array, beta2: number): Float32Array {
  const next = new Float32Array(v.length);
  for (let i = 0; i < next.length; i++) {
    const square = delta[i] * delta[i];
    next[i] = v[i] - (1 - beta2) * square * Math.sign(v[i] - square);
  }
  return next;
}

function adamVariance(v: Float32Array, delta: Float32Array, beta2: number): Float32Array {
  const next = new Float32Array(v.length);
  for (let i = 0; i < next.length; i++) next[i] = beta2 * v[i] + (1 - beta2) * delta[i] * delta[i];
  return next;
}

function step(x: Float32Array, mean: Float32Array, variance: Float32Array, rate: number, tau: number): Float32Array {
  const next = new Float32Array(x.length);
  for (let i = 0; i < next.length; i++) next[i] = x[i] + (rate * mean[i]) / (Math.sqrt(variance[i]) + tau);
  return next;
}
