import type { ModelDefinition, TfLayers } from "./model-definition.ts";

/**
 * A small MobileNet for 28 × 28 images: the layers of Howard et al. 2017 (arXiv 1704.04861, Table 1), with three of its
 * thirteen depthwise-separable blocks. A strided convolution, the blocks, a global average pool, a dense layer; batch
 * normalisation and ReLU after each convolution. 9,610 parameters, 704 of them moving averages, which are averaged among
 * devices like the others.
 */
export const mobileCnn: ModelDefinition = {
  name: "mobile-cnn",
  title: "Mobile CNN (depthwise-separable, batch norm)",
  inputShape: [28, 28, 1],
  outputs: 10,
  loss: "softmaxCrossEntropy",
  createModel: (tf) =>
    tf.sequential({
      layers: [
        tf.layers.conv2d({
          name: "stem",
          filters: 16,
          kernelSize: 3,
          strides: 2,
          padding: "same",
          useBias: false,
          kernelInitializer: "heNormal",
          inputShape: [28, 28, 1],
        }),
        ...normalised(tf, "stem"),
        ...separable(tf, "block1", 32, 1),
        ...separable(tf, "block2", 64, 2),
        ...separable(tf, "block3", 64, 1),
        tf.layers.globalAveragePooling2d({ name: "pool" }),
        tf.layers.dense({ name: "logits", units: 10, kernelInitializer: "glorotUniform" }),
      ],
    }),
};

/** A 3 × 3 filter a channel, then 1 × 1 filters across channels. */
function separable(tf: TfLayers, name: string, filters: number, strides: number) {
  return [
    tf.layers.depthwiseConv2d({
      name: `${name}_depthwise`,
      kernelSize: 3,
      strides,
      padding: "same",
      useBias: false,
      depthwiseInitializer: "heNormal",
    }),
    ...normalised(tf, `${name}_depthwise`),
    tf.layers.conv2d({
      name: `${name}_pointwise`,
      filters,
      kernelSize: 1,
      useBias: false,
      kernelInitializer: "heNormal",
    }),
    ...normalised(tf, `${name}_pointwise`),
  ];
}

/** A device takes few steps a round, so its moving averages move a tenth of the way in each. */
function normalised(tf: TfLayers, name: string) {
  return [
    tf.layers.batchNormalization({ name: `${name}_norm`, momentum: 0.9 }),
    tf.layers.reLU({ name: `${name}_relu` }),
  ];
}
