import { expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Flat L2 clipping over the whole vector: Δ · min(1, C / ‖Δ‖₂) (McMahan et al. 2018, arXiv 1710.06963, section 3).
 * The `clipped` metric counts the devices whose update was shortened.
 */
export function clip(norm: number): UpdateTransform {
  if (!(norm > 0) || !Number.isFinite(norm)) throw new RangeError(`the clip norm must be positive, not ${norm}`);
  return {
    specification: `clip:${norm}`,
    encode(update) {
      const { values, metrics } = expectFloatUpdate(update, "clip");
      const length = euclideanNorm(values);
      const clipped = length > norm;
      if (clipped) scaleInPlace(values, norm / length);
      return { kind: "float", values, metrics: { ...metrics, clipped: clipped ? 1 : 0 } };
    },
    decode: (sum) => sum,
  };
}

/** ‖v‖₂, accumulated in double precision. */
export function euclideanNorm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

export function scaleInPlace(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] *= factor;
}
