import { scaleInPlace } from "./clip.ts";
import { expectFloatSum, type UpdateTransform } from "./update-transform.ts";

/**
 * Every device counts alike, and the sum is divided by what was expected, whoever came: a denominator that depended on the
 * cohort would tell of it (McMahan et al. 2018, arXiv 1710.06963, section 3, the estimator f̃_f).
 *
 * @param denominator q · N
 */
export function weightFixed(denominator: number): UpdateTransform {
  return {
    specification: `weight:fixed:${denominator}`,
    encode: (update) => update,
    decode(sum) {
      const { values, metrics, survivors } = expectFloatSum(sum, "weight");
      scaleInPlace(values, 1 / denominator);
      return { kind: "float", values, metrics, survivors };
    },
  };
}
