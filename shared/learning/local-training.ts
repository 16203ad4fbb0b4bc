/** What every device of a round does with its examples. It is part of the round's configuration. */
export interface LocalTraining {
  readonly epochs: number;
  /** Examples a step; the last batch of an epoch may be smaller. */
  readonly batchSize: number;
  readonly learningRate: number;
  /** Absent: plain SGD. Its state begins at zero in every round and never leaves the device. */
  readonly optimizer?: LocalOptimizer;
  /** λ: every step's gradient gains λ w, as L2 regularisation does; with Adam the decay is decoupled (AdamW). */
  readonly weightDecay?: number;
  /**
   * Largest L2 norm of the gradient of a step's loss, over all parameters; a longer one is scaled down to it. What decay,
   * the proximal term and a correction add comes after.
   */
  readonly gradientClip?: number;
  /** μ of FedProx (Li et al. 2020, arXiv 1812.06127, equation 2): the gradient gains μ (w − w_t). */
  readonly proximalMu?: number;
}

export type LocalOptimizer =
  /** v ← β v + g; w ← w − η v, or with Nesterov's look-ahead w ← w − η (g + β v). */
  | { readonly kind: "momentum"; readonly momentum: number; readonly nesterov: boolean }
  /** Kingma and Ba 2015 (arXiv 1412.6980), Algorithm 1. */
  | { readonly kind: "adam"; readonly beta1: number; readonly beta2: number; readonly epsilon: number };
