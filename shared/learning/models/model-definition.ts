import type { LayersModel, layers, model, sequential } from "@tensorflow/tfjs-layers";

/** The part of tf.layers that a definition builds with; handed in, so that listing the models loads no library. */
export interface TfLayers {
  readonly layers: typeof layers;
  readonly sequential: typeof sequential;
  readonly model: typeof model;
}

/** A model as a tf.layers factory, and what an engine has to know to train it. */
export interface ModelDefinition {
  /** As written in a configuration. */
  readonly name: string;
  /** As shown to people. */
  readonly title: string;
  /** Shape of one input, without the batch dimension. Examples are stored flat and are taken as this shape. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  /**
   * Mean over the batch of −log softmax(logits)[label]. The model's output is taken as logits; a softmax that ends the
   * model is removed, because its logarithm is computed from logits without overflow or loss of digits.
   */
  readonly loss: "softmaxCrossEntropy";
  /** Builds the model. Each layer has a name of its own: the names of the parameters start with it. */
  createModel(tf: TfLayers): LayersModel;
}
