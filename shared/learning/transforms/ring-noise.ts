import { type NoiseKind, noiseLaw } from "../../privacy/noise/noise-law.ts";
import type { UpdateTransform } from "./update-transform.ts";

/**
 * A device's own noise, whole-numbered and exact, on every coordinate of the ring vector: the last thing that happens to an
 * update before its mask. A device that only pads a roster draws it like any other. It is not taken away again.
 *
 * @param variance of one coordinate, in levels squared
 */
export function ringNoise(kind: NoiseKind, variance: number): UpdateTransform {
  if (!(variance > 0 && Number.isFinite(variance))) throw new RangeError(`noise of variance ${variance} is none`);
  return {
    specification: `noise:${kind}:${variance}`,
    encode(update, { noise }) {
      if (update.kind !== "ring") throw new Error("noise is added to whole numbers");
      if (noise === undefined) throw new Error("a device that makes noise has to be given what to make it of");
      if (noise !== "elsewhere") noiseLaw(kind, variance).addTo(update.values, noise);
      return update;
    },
    decode: (sum) => sum,
  };
}
