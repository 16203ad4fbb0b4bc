import { CHARACTERS, CONTEXT_LENGTH } from "../characters.ts";
import type { ModelDefinition } from "./model-definition.ts";

const kernelInitializer = "glorotUniform";

/**
 * Next-character prediction: 80 characters in, as classes of `CHARACTERS`, the next one out. As McMahan et al. 2017
 * (arXiv 1602.05629, section 3) and LEAF (Caldas et al. 2018, arXiv 1812.01097) have it, with an embedding of 8, and
 * with one layer of 128 units in place of two of 256, so that a laptop trains it: 81,104 parameters.
 */
export const lstm: ModelDefinition = {
  name: "lstm",
  title: "LSTM (next character)",
  inputShape: [CONTEXT_LENGTH],
  outputs: CHARACTERS.length,
  loss: "softmaxCrossEntropy",
  createModel: (tf) =>
    tf.sequential({
      layers: [
        tf.layers.embedding({
          name: "characters",
          inputDim: CHARACTERS.length,
          outputDim: 8,
          inputLength: CONTEXT_LENGTH,
        }),
        tf.layers.lstm({
          name: "lstm",
          units: 128,
          recurrentActivation: "sigmoid",
          unitForgetBias: true,
          kernelInitializer,
        }),
        tf.layers.dense({ name: "logits", units: CHARACTERS.length, kernelInitializer }),
      ],
    }),
};
