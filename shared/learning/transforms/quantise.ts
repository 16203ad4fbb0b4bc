import type { RoundMetric } from "../../secagg/metric-slots.ts";
import { createQuantiser, dequantise, quantise } from "../../secagg/quantise.ts";
import { decodeSlots, encodeSlots, type SlotTable } from "../../secagg/slots.ts";
import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * From real coordinates to the ring, and the metrics into their slots behind them (`secure-aggregation.md` section 4).
 * It comes last but for noise: after it there are only integers.
 *
 * @param bits q: coordinates become integers in ±(2^(q−1) − 1)
 * @param range the largest absolute coordinate; larger ones are clamped
 */
export function quantiseTransform(bits: number, range: number, slots: SlotTable<RoundMetric>): UpdateTransform {
  const quantiser = createQuantiser({ bits, clip: range });
  return {
    specification: `quantise:${bits}:${range}`,
    encode(update, { rounding, ring: given }) {
      const { values, metrics } = expectFloatUpdate(update, "quantise");
      const length = values.length + slots.slots.length;
      const ring = given ?? new Int32Array(length);
      if (ring.length !== length) throw new RangeError(`a ring vector of ${length} does not take ${ring.length}`);
      quantise(values, quantiser, rounding, ring);
      encodeSlots(slots, metrics, ring, values.length);
      return { kind: "ring", values: ring };
    },
    decode(sum) {
      if (sum.kind !== "ring") throw new Error("a sum is dequantised once");
      const coordinates = sum.values.length - slots.slots.length;
      return {
        kind: "float",
        values: dequantise(sum.values, quantiser, new Float32Array(coordinates)),
        metrics: decodeSlots(slots, sum.values, coordinates),
        survivors: sum.survivors,
      };
    },
  };
}
