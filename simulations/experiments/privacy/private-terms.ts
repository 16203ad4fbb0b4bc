import { adaptiveBound, adaptiveClip } from "../../../shared/learning/transforms/adaptive-clip.ts";
import { clip } from "../../../shared/learning/transforms/clip.ts";
import { weightFixed } from "../../../shared/learning/transforms/fixed-weight.ts";
import { quantiseTransform } from "../../../shared/learning/transforms/quantise.ts";
import type { UpdateTransform } from "../../../shared/learning/transforms/update-transform.ts";
import { zeroInvalid } from "../../../shared/learning/transforms/zero-invalid.ts";
import type { SecAggAgreement } from "../../../shared/secagg/agreement.ts";
import type { RoundMetric } from "../../../shared/secagg/metric-slots.ts";
import { createSlotTable } from "../../../shared/secagg/slots.ts";
import type { RunConfig } from "../config.ts";
import type { PrivacyPlan } from "./privacy-plan.ts";

/** The way of an update into the ring, as devices agree to it. */
export type EncodingTerms = Pick<SecAggAgreement, "transforms" | "slots" | "levels" | "clip" | "dimension">;

/** An update whose norm is beyond this many clip norms is no update: it counts as zero (`privacy.md` 1.9, rule 7). */
const OVERSIZE = 2 ** 20;

/** Under differential privacy a metric slot is noised and accounted, or does not exist: none does. */
const NO_SLOTS = createSlotTable<RoundMetric>([]);

/**
 * Central noise: updates are clipped to `norm`, and quantised over exactly ± what no coordinate exceeds then.
 * @param coordinates values of the broadcast, and so of an update
 * @param norm C of this round
 */
export function privateTerms(
  plan: PrivacyPlan,
  { quantise: { bits } }: RunConfig,
  coordinates: number,
  norm: number = plan.clipNorm,
): EncodingTerms {
  const { indicator, denominator } = plan;
  const clipping: UpdateTransform = indicator === undefined ? clip(norm) : adaptiveClip(norm, indicator.ratio);
  const range = indicator === undefined ? norm : adaptiveBound(norm, indicator.ratio);
  const transforms = [
    zeroInvalid(OVERSIZE * norm),
    clipping,
    weightFixed(denominator),
    quantiseTransform(bits, range, NO_SLOTS),
  ];
  return {
    transforms: transforms.map(({ specification }) => specification),
    slots: NO_SLOTS,
    levels: 2 ** (bits - 1) - 1,
    clip: range,
    dimension: coordinates + (indicator === undefined ? 0 : 1),
  };
}

/**
 * The most that one device can add to a sum, as an L2 norm in levels: the clip norm, and what rounding each of the d
 * coordinates to a neighbouring level can add to it, √d (Kairouz et al. 2021, arXiv 2102.06387, the first bound of
 * Proposition 22).
 */
export function centralSensitivity({ levels, dimension }: Pick<EncodingTerms, "levels" | "dimension">): number {
  return levels + Math.sqrt(dimension);
}
