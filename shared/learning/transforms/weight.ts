import { scaleInPlace } from "./clip.ts";
import { expectFloatSum, expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Weighting by number of examples: each device multiplies its update by w = min(n, W) / W ≤ 1, and reports w in a slot;
 * the server divides the sum by Σ w (McMahan et al. 2017, arXiv 1602.05629, Algorithm 1, with n_k capped at W so that
 * the largest weighted coordinate is known before the round).
 */
export function weightByExamples(cap: number): UpdateTransform {
  if (!Number.isInteger(cap) || cap < 1)
    throw new RangeError(`the weight's cap must be a whole number of examples, not ${cap}`);
  return {
    specification: `weight:examples:${cap}`,
    encode(update) {
      const { values, metrics } = expectFloatUpdate(update, "weight");
      const weight = Math.min(metrics.examples ?? 0, cap) / cap;
      if (weight !== 1) scaleInPlace(values, weight);
      return { kind: "float", values, metrics: { ...metrics, weight } };
    },
    decode(sum) {
      const { values, metrics, survivors } = expectFloatSum(sum, "weight");
      const total = metrics.weight ?? 0;
      // A cohort without a single example moves the model nowhere.
      scaleInPlace(values, total > 0 ? 1 / total : 0);
      return { kind: "float", values, metrics, survivors };
    },
  };
}
