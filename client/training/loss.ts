import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";

/** Per-example figures of a batch: the loss, float32 [n], and whether the example counts as correct, bool [n]. */
export type BatchOutcome = {
  readonly losses: tf.Tensor1D;
  readonly hits: tf.Tensor1D;
};

type Objective = Pick<ModelDefinition, "loss" | "outputs">;

/** Labels an example has: one class index, or a target for each output. */
export function labelWidth({ loss, outputs }: Objective): number {
  return loss === "softmaxCrossEntropy" ? 1 : outputs;
}

/** An example's label as a tensor: int32 [] for a class, float32 [outputs] for targets. */
export function labelType({ loss, outputs }: Objective): {
  readonly type: "int32" | "float32";
  readonly shape: readonly number[];
} {
  return loss === "softmaxCrossEntropy" ? { type: "int32", shape: [] } : { type: "float32", shape: [outputs] };
}

/** What the model's output on a batch, [n, outputs], says about its labels. */
export function batchOutcome({ loss }: Objective, output: tf.Tensor2D, labels: tf.Tensor): BatchOutcome {
  switch (loss) {
    case "softmaxCrossEntropy":
      return softmaxCrossEntropy(output, labels as tf.Tensor1D);
    case "sigmoidCrossEntropy":
      return sigmoidCrossEntropy(output, labels as tf.Tensor2D);
    case "meanSquaredError":
      return meanSquaredError(output, labels as tf.Tensor2D);
  }
}

/** What a model's output on a batch means: probabilities where the loss is of logits, else the values themselves. */
export function probabilities({ loss }: Objective, output: tf.Tensor2D): tf.Tensor2D {
  switch (loss) {
    case "softmaxCrossEntropy":
      return tf.softmax(output);
    case "sigmoidCrossEntropy":
      return tf.sigmoid(output);
    case "meanSquaredError":
      return output;
  }
}

/**
 * What a step's gradient is of: `scale` · (Σ losses + n · the layers' regularisers), which with scale = 1 / n is the mean
 * loss of n examples with the regularisers added, as tf.layers trains.
 */
export function scaledObjective(model: LayersModel, losses: tf.Tensor1D, n: number, scale: tf.Scalar): tf.Scalar {
  const penalties = model.calculateLosses();
  const penalty = penalties.reduce(
    (sum: tf.Tensor | undefined, one) => (sum === undefined ? one : tf.add(sum, one)),
    undefined,
  );
  const total = penalty === undefined ? tf.sum(losses) : tf.add(tf.sum(losses), tf.mul(penalty, n));
  return tf.mul(total, scale) as tf.Scalar;
}

/**
 * Softmax cross-entropy from logits [n, classes] and labels, int32 [n]. The logarithm is of the shifted exponentials
 * (log-sum-exp), so large logits neither overflow nor lose the loss of unlikely labels. Correct is an example whose
 * largest logit is the label's.
 */
function softmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): BatchOutcome {
  // Cast here, because the WASM backend writes integers whatever type it is asked for.
  const target = tf.cast(tf.oneHot(labels, logits.shape[1]), "float32");
  const losses = tf.neg(tf.sum(tf.mul(target, tf.logSoftmax(logits)), 1)) as tf.Tensor1D;
  const hits = tf.equal(tf.argMax(logits, 1), labels) as tf.Tensor1D;
  return { losses, hits };
}

/**
 * −z log σ(x) − (1 − z) log(1 − σ(x)) = softplus(x) − z x, the mean over an example's outputs. Correct is an example
 * whose every output is on its target's side of one half.
 */
function sigmoidCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): BatchOutcome {
  const losses = tf.mean(tf.sub(tf.softplus(logits), tf.mul(targets, logits)), 1) as tf.Tensor1D;
  const agree = tf.equal(tf.greater(logits, 0), tf.greater(targets, 0.5));
  return { losses, hits: tf.all(agree, 1) as tf.Tensor1D };
}

/** (y − t)², the mean over an example's outputs. Nothing is correct or wrong about a real number: no example is a hit. */
function meanSquaredError(outputs: tf.Tensor2D, targets: tf.Tensor2D): BatchOutcome {
  const losses = tf.mean(tf.square(tf.sub(outputs, targets)), 1) as tf.Tensor1D;
  return { losses, hits: tf.zeros([outputs.shape[0]], "bool") };
}
