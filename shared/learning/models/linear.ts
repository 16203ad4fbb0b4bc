import type { ModelDefinition } from "./model-definition.ts";
import type { DatasetShape, ModelFamily } from "./model-family.ts";

/**
 * Multinomial logistic regression on a table's columns: (columns + 1) × classes parameters, a convex problem. With two
 * classes it is logistic regression as textbooks have it, by the difference of the two logits.
 */
export const logisticRegression: ModelFamily = {
  name: "logistic",
  title: "Logistic regression",
  define: (dataset) => ({ ...linearLayer(dataset), name: "logistic", title: "Logistic regression" }),
};

/** Least squares by gradient descent on a table's columns. */
export const linearRegression: ModelFamily = {
  name: "linear",
  title: "Linear regression",
  define: (dataset) => ({
    ...linearLayer(dataset),
    name: "linear",
    title: "Linear regression",
    loss: "meanSquaredError",
  }),
};

/** One dense layer from zero, which is as good a start as any for a convex problem. */
function linearLayer({ inputShape, outputs }: DatasetShape): Omit<ModelDefinition, "name" | "title"> {
  return {
    inputShape,
    outputs,
    loss: "softmaxCrossEntropy",
    createModel: (tf) =>
      tf.sequential({
        layers: [
          tf.layers.inputLayer({ inputShape: [...inputShape] }),
          ...(inputShape.length === 1 ? [] : [tf.layers.flatten({ name: "columns" })]),
          tf.layers.dense({ name: "outputs", units: outputs, kernelInitializer: "zeros" }),
        ],
      }),
  };
}
