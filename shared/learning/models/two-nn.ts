import type { ModelDefinition } from "./model-definition.ts";

const kernelInitializer = "glorotUniform";

/** McMahan et al. 2017 (arXiv:1602.05629), section 3: the "2NN", two hidden layers of 200 ReLU: 199,210 parameters. */
export const twoNN: ModelDefinition = {
  name: "2nn",
  title: "2NN (784-200-200-10)",
  inputShape: [784],
  outputs: 10,
  loss: "softmaxCrossEntropy",
  createModel: (tf) =>
    tf.sequential({
      layers: [
        tf.layers.dense({ name: "hidden1", units: 200, activation: "relu", kernelInitializer, inputShape: [784] }),
        tf.layers.dense({ name: "hidden2", units: 200, activation: "relu", kernelInitializer }),
        tf.layers.dense({ name: "logits", units: 10, kernelInitializer }),
      ],
    }),
};
