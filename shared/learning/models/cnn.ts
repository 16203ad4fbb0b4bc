import type { ModelDefinition } from "./model-definition.ts";

const kernelInitializer = "glorotUniform";

/**
 * McMahan et al. 2017 (arXiv:1602.05629), section 3: two 5 × 5 convolutions of 32 and 64 channels, each followed by
 * 2 × 2 max-pooling, then 512 ReLU units: 1,663,370 parameters, which fixes the padding to "same".
 */
export const cnn: ModelDefinition = {
  name: "cnn",
  title: "CNN (McMahan et al.)",
  inputShape: [28, 28, 1],
  outputs: 10,
  loss: "softmaxCrossEntropy",
  createModel: (tf) =>
    tf.sequential({
      layers: [
        tf.layers.conv2d({
          name: "conv1",
          filters: 32,
          kernelSize: 5,
          padding: "same",
          activation: "relu",
          kernelInitializer,
          inputShape: [28, 28, 1],
        }),
        tf.layers.maxPooling2d({ name: "pool1", poolSize: 2 }),
        tf.layers.conv2d({
          name: "conv2",
          filters: 64,
          kernelSize: 5,
          padding: "same",
          activation: "relu",
          kernelInitializer,
        }),
        tf.layers.maxPooling2d({ name: "pool2", poolSize: 2 }),
        tf.layers.flatten({ name: "flatten" }),
        tf.layers.dense({ name: "hidden", units: 512, activation: "relu", kernelInitializer }),
        tf.layers.dense({ name: "logits", units: 10, kernelInitializer }),
      ],
    }),
};
