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

/** ‖v‖₂, accumulated in double precision: four sums, because each addition waits for the one before it. */
export function euclideanNorm(values: Float32Array): number {
  const whole = values.length - (values.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < whole; i += 4) {
    a += values[i] * values[i];
    b += values[i + 1] * values[i + 1];
    c += values[i + 2] * values[i + 2];
    d += values[i + 3] * values[i + 3];
  }
  for (let i = whole; i < values.length; i++) a += values[i] * values[i];
  return Math.sqrt(a + b + (c + d));
}

export function scaleInPlace(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] *= factor;
}
