import * as tf from "@tensorflow/tfjs-core";

/** Per-example figures of a batch: −log softmax(logits)[label], float32 [n], and whether the arg max is the label, bool [n]. */
export type BatchOutcome = {
  readonly losses: tf.Tensor1D;
  readonly hits: tf.Tensor1D;
};

/**
 * Softmax cross-entropy from logits [n, classes] and labels, int32 [n]. The logarithm is of the shifted exponentials
 * (log-sum-exp), so large logits neither overflow nor lose the loss of unlikely labels.
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): BatchOutcome {
  const target = tf.oneHot(labels, logits.shape[1], 1, 0, "float32");
  const losses = tf.neg(tf.sum(tf.mul(target, tf.logSoftmax(logits)), 1)) as tf.Tensor1D;
  const hits = tf.equal(tf.argMax(logits, 1), labels) as tf.Tensor1D;
  return { losses, hits };
}
