import type { Algorithm } from "./algorithm.ts";
import { type FedAvgOptions, type FedAvgState, fedAvg } from "./fedavg.ts";

export interface FedProxOptions extends FedAvgOptions {
  /** μ, the strength of the proximal term; 0 is FedAvg. */
  readonly mu: number;
}

/**
 * FedProx (Li et al. 2020, arXiv 1812.06127, Algorithm 2): each device minimises h_k(w; w_t) = F_k(w) + (μ/2) ‖w − w_t‖²
 * (equation 2), inexactly: by the same steps of SGD as FedAvg's, whose gradient gains μ (w − w_t). The coordinator averages
 * as it does in FedAvg; where the paper samples devices with probability n_k / n and averages them alike, devices are
 * sampled alike here and weighted by n_k, unless the run weighs them uniformly.
 */
export function fedProx({ mu, serverLr }: FedProxOptions): Algorithm<FedAvgState> {
  if (!(Number.isFinite(mu) && mu >= 0)) throw new RangeError(`mu is a number of at least 0, not ${mu}`);
  return { ...fedAvg({ serverLr }), name: "fedprox", training: mu === 0 ? {} : { proximalMu: mu } };
}
