import type { ModelDefinition } from "./model-definition.ts";

/** Multinomial logistic regression on 28 × 28 images: 7,850 parameters, a convex problem. */
export const softmaxRegression: ModelDefinition = {
  name: "softmax",
  title: "Softmax regression",
  inputShape: [784],
  outputs: 10,
  loss: "softmaxCrossEntropy",
  createModel: (tf) =>
    tf.sequential({
      layers: [tf.layers.dense({ name: "logits", units: 10, kernelInitializer: "glorotUniform", inputShape: [784] })],
    }),
};
