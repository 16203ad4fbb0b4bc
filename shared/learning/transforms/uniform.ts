import { scaleInPlace } from "./clip.ts";
import { expectFloatSum, expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Every device counts alike, however many examples it has: the server divides the sum by the number of survivors
 * (Karimireddy et al. 2020, arXiv 1910.06378, Algorithm 1, line 16; Reddi et al. 2021, arXiv 2003.00295, Algorithm 1).
 * The weight slot then counts survivors.
 */
export function weightUniformly(): UpdateTransform {
  return {
    specification: "weight:uniform",
    encode(update) {
      const { values, metrics } = expectFloatUpdate(update, "weight");
      return { kind: "float", values, metrics: { ...metrics, weight: 1 } };
    },
    decode(sum) {
      const { values, metrics, survivors } = expectFloatSum(sum, "weight");
      scaleInPlace(values, 1 / survivors);
      return { kind: "float", values, metrics, survivors };
    },
  };
}
