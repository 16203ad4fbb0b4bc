import { euclideanNorm } from "./clip.ts";
import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/** STAND-IN for dp-noise's. */
export function zeroInvalid(largest: number): UpdateTransform {
  return {
    specification: `zero-invalid:${largest}`,
    encode(update) {
      const { values, metrics } = expectFloatUpdate(update, "zero-invalid");
      const norm = euclideanNorm(values);
      if (!(norm <= largest)) values.fill(0);
      return { kind: "float", values, metrics };
    },
    decode: (sum) => sum,
  };
}
