import * as tf from "@tensorflow/tfjs-layers";
import { declarationOf, declaringWeights } from "./declared-weights.ts";
import { everyLayer } from "./inner-layers.ts";
import type { ModelDefinition } from "./model-definition.ts";

/**
 * Builds a definition's model with logits as its output, under the tfjs backend that is active. Its weights are zero:
 * engines write a parameter vector into them. The caller disposes of it.
 *
 * @throws when the model is not what its definition says, or constrains a weight, which no engine here does.
 */
export function buildModel(definition: ModelDefinition): tf.LayersModel {
  const model = declaringWeights(() => withLogits(definition.createModel(tf), LINK[definition.loss]));
  const input = model.inputs[0].shape.slice(1);
  const output = model.outputs[0].shape;
  if (model.inputs.length !== 1 || input.join() !== definition.inputShape.join()) {
    throw new Error(`Model "${definition.name}" takes [${input}], its definition says [${definition.inputShape}].`);
  }
  if (model.outputs.length !== 1 || output.length !== 2 || output[1] !== definition.outputs) {
    throw new Error(
      `Model "${definition.name}" ends in [${output}], its definition says ${definition.outputs} outputs.`,
    );
  }
  const stateful = everyLayer(model).find((layer) => layer.stateful);
  if (stateful !== undefined) {
    throw new Error(`The layer "${stateful.name}" is stateful: it would carry what it saw of one batch into another.`);
  }
  const constrained = model.weights.find((weight) => declarationOf(weight).constrained);
  if (constrained !== undefined) {
    throw new Error(
      `Model "${definition.name}" constrains the weight ${constrained.originalName}: no engine does that.`,
    );
  }
  return model;
}

/** The activation that turns logits into the probabilities that a loss is about. */
const LINK = { softmaxCrossEntropy: "softmax", sigmoidCrossEntropy: "sigmoid", meanSquaredError: undefined } as const;

/** The same model without the link at its end; the layer keeps its name, so parameters keep theirs. */
function withLogits(model: tf.LayersModel, link: (typeof LINK)[keyof typeof LINK]): tf.LayersModel {
  const last = model.layers[model.layers.length - 1];
  const config = last.getConfig();
  const isSoftmaxLayer = last.getClassName() === "Softmax";
  const ends = isSoftmaxLayer ? "softmax" : config.activation;
  if (ends !== link || link === undefined) return model;
  const before = last.input as tf.SymbolicTensor;
  if (isSoftmaxLayer || last.getClassName() === "Activation")
    return tf.model({ inputs: model.inputs, outputs: before });
  if (last.getClassName() !== "Dense") {
    throw new Error(`The last layer, "${last.name}", applies ${link}: give it no activation, the loss takes logits.`);
  }
  const linear = tf.layers.dense({ ...(config as unknown as DenseConfig), activation: "linear" });
  return tf.model({ inputs: model.inputs, outputs: linear.apply(before) as tf.SymbolicTensor });
}

type DenseConfig = Parameters<typeof tf.layers.dense>[0];
