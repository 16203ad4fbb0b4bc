import { scaleInPlace } from "./clip.ts";
import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Weighting by staleness: an update of a model that s newer ones have replaced counts 1 / √(1 + s) (Nguyen et al. 2022,
 * "Federated learning with buffered asynchronous aggregation", arXiv 2106.06639, section 5). The device applies it, so
 * that it works under masks; the sum is still divided by as much as without it, K in Algorithm 1. The weight is at most 1:
 * no coordinate grows beyond what the ring was proven for.
 *
 * @param most the largest staleness that is taken
 */
export function weightByStaleness(most: number): UpdateTransform {
  if (!Number.isInteger(most) || most < 0) throw new RangeError(`the largest staleness is a whole number, not ${most}`);
  return {
    specification: `staleness:${most}`,
    encode(update, { staleness = 0 }) {
      const { values, metrics } = expectFloatUpdate(update, "staleness");
      if (staleness > most) throw new RangeError(`an update of ${staleness} models ago, and ${most} is the most`);
      if (staleness > 0) scaleInPlace(values, 1 / Math.sqrt(1 + staleness));
      return { kind: "float", values, metrics };
    },
    decode: (sum) => sum,
  };
}
