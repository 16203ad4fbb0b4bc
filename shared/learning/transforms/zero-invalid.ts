import { euclideanNorm } from "./clip.ts";
import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * An update that is none, with a value that is not finite or a norm beyond all that training gives, becomes zero, before it
 * is clipped: min(1, C / NaN) clips nothing. Its device stays in the round, with mask and noise (`privacy.md` 1.9, rule 7).
 */
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
