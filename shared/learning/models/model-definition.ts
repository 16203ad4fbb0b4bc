import type { initializers, LayersModel, layers, model, regularizers, sequential } from "@tensorflow/tfjs-layers";

/** The part of tf.layers that a definition builds with; handed in, so that listing the models loads no library. */
export interface TfLayers {
  readonly layers: typeof layers;
  readonly sequential: typeof sequential;
  readonly model: typeof model;
  readonly initializers: typeof initializers;
  readonly regularizers: typeof regularizers;
}

/**
 * What training minimises: the mean over the batch of
 *
 * - `softmaxCrossEntropy`: −log softmax(logits)[label]; a label is a class index;
 * - `sigmoidCrossEntropy`: the mean over the outputs of −z log σ(logit) − (1 − z) log(1 − σ(logit)); a label is `outputs`
 *   targets z in [0, 1];
 * - `meanSquaredError`: the mean over the outputs of (output − target)²; a label is `outputs` targets.
 *
 * For the cross-entropies the model's output is taken as logits; a softmax or sigmoid that ends the model is removed,
 * because its logarithm is computed from logits without overflow or loss of digits.
 */
export type Loss = "softmaxCrossEntropy" | "sigmoidCrossEntropy" | "meanSquaredError";

/** A model as a tf.layers factory, and what an engine has to know to train it. */
export interface ModelDefinition {
  /** As written in a configuration. */
  readonly name: string;
  /** As shown to people. */
  readonly title: string;
  /** Shape of one input, without the batch dimension. Examples are stored flat and are taken as this shape. */
  readonly inputShape: readonly number[];
  /** Values of one output: the classes under softmaxCrossEntropy, the targets of an example under the other losses. */
  readonly outputs: number;
  readonly loss: Loss;
  /** Builds the model. Each layer has a name of its own: the names of the parameters start with it. */
  createModel(tf: TfLayers): LayersModel;
}
