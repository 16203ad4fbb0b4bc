import { euclideanNorm, scaleInPlace } from "./clip.ts";
import { expectFloatSum, expectFloatUpdate, type UpdateTransform } from "./update-transform.ts";

/**
 * Clipping whose norm follows a quantile of the devices' norms (Andrew et al. 2021, arXiv 1905.03871): each device also
 * says whether its update was within the norm, in one more coordinate.
 *
 * ```
 *  Δ, C ─► Δ · min(1, C / ‖Δ‖) ‖ (b − ½) · 2 C r / √(1 − r²)      b = 1 when ‖Δ‖ ≤ C, r = z / 2σ_b
 * ```
 *
 * The vector's norm is at most C / √(1 − r²) whatever b is, so that noise of z times that on every coordinate is noise of
 * z_Δ = (z⁻² − (2σ_b)⁻²)^(−½) clip norms on the update and of σ_b on the sum of the (b − ½): one Gaussian, one account
 * (`privacy.md` 1.2). A device that only pads a roster says neither.
 *
 * @param norm C
 * @param ratio r, 0 < r < 1
 */
export function adaptiveClip(norm: number, ratio: number): UpdateTransform {
  if (!(norm > 0 && Number.isFinite(norm))) throw new RangeError(`the clip norm must be positive, not ${norm}`);
  if (!(ratio > 0 && ratio < 1)) throw new RangeError(`the indicator's ratio lies between 0 and 1, not at ${ratio}`);
  const half = (norm * ratio) / Math.sqrt(1 - ratio * ratio);
  return {
    specification: `adaptive-clip:${norm}:${ratio}`,
    coordinates: (given) => given + 1,
    encode(update, { pads = false }) {
      const { values, metrics } = expectFloatUpdate(update, "adaptive-clip");
      const length = euclideanNorm(values);
      if (length > norm) scaleInPlace(values, norm / length);
      const joint = new Float32Array(values.length + 1);
      joint.set(values);
      joint[values.length] = pads ? 0 : length > norm ? -half : half;
      return { kind: "float", values: joint, metrics };
    },
    decode(sum) {
      const { values, metrics, survivors } = expectFloatSum(sum, "adaptive-clip");
      const last = values.length - 1;
      const withinNorm = 0.5 + values[last] / (2 * half);
      return { kind: "float", values: values.subarray(0, last), metrics, survivors, withinNorm };
    },
  };
}

/** ‖(clipped update, indicator)‖ is at most C / √(1 − r²). */
export function adaptiveBound(norm: number, ratio: number): number {
  return norm / Math.sqrt(1 - ratio * ratio);
}

/** C · exp(−η (b̃ − γ)) (Andrew et al. 2021, section 2.1). */
export function nextClipNorm(
  norm: number,
  withinNorm: number,
  { quantile, rate }: { readonly quantile: number; readonly rate: number },
): number {
  return norm * Math.exp(-rate * (withinNorm - quantile));
}
