import { scaleInPlace } from "./clip.ts";
import { expectFloatSum, type UpdateTransform } from "./update-transform.ts";

/** STAND-IN for dp-noise's. */
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
