import { adaptiveBound, adaptiveClip } from "../../../shared/learning/transforms/adaptive-clip.ts";
import { clip } from "../../../shared/learning/transforms/clip.ts";
import { weightFixed } from "../../../shared/learning/transforms/fixed-weight.ts";
import { quantiseTransform } from "../../../shared/learning/transforms/quantise.ts";
import { ringNoise } from "../../../shared/learning/transforms/ring-noise.ts";
import { rotate } from "../../../shared/learning/transforms/rotate.ts";
import type { UpdateTransform } from "../../../shared/learning/transforms/update-transform.ts";
import { zeroInvalid } from "../../../shared/learning/transforms/zero-invalid.ts";
import { distributedEncoding } from "../../../shared/privacy/mechanisms/distributed-encoding.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { SecAggAgreement } from "../../../shared/secagg/agreement.ts";
import type { RoundMetric } from "../../../shared/secagg/metric-slots.ts";
import { createSlotTable } from "../../../shared/secagg/slots.ts";
import type { RunConfig } from "../config.ts";
import { isAccounted } from "./mechanism-rdp.ts";
import { isDistributed, type PrivacyPlan } from "./privacy-plan.ts";

/** The way of an update into the ring, as devices agree to it. */
export type EncodingTerms = Pick<
  SecAggAgreement,
  "transforms" | "slots" | "levels" | "clip" | "dimension" | "noiseShare"
>;

/** An update whose norm is beyond this many clip norms is no update: it counts as zero (`privacy.md` 1.9, rule 7). */
const OVERSIZE = 2 ** 20;

/** Under differential privacy a metric slot is noised and accounted, or does not exist: none does. */
const NO_SLOTS = createSlotTable<RoundMetric>([]);

/**
 * Updates that are no update count as zero, and the rest are clipped to `norm`; then they are quantised over exactly ± what
 * no coordinate exceeds then, or, where devices make the noise, rotated onto a grid with room for it.
 *
 * @param coordinates values of the broadcast, and so of an update
 * @param norm C of this round
 * @throws {MurmurError} ring-too-narrow, where the grid leaves no room for the noise
 */
export function privateTerms(
  plan: PrivacyPlan,
  config: RunConfig,
  coordinates: number,
  norm: number = plan.clipNorm,
): EncodingTerms {
  const { indicator, denominator } = plan;
  const clipping: UpdateTransform = indicator === undefined ? clip(norm) : adaptiveClip(norm, indicator.ratio);
  const range = indicator === undefined ? norm : adaptiveBound(norm, indicator.ratio);
  const values = coordinates + (indicator === undefined ? 0 : 1);
  const toRing = isDistributed(plan.privacy)
    ? distributedTerms(plan, config, values, range)
    : centralTerms(config, values, range);
  const transforms = [zeroInvalid(OVERSIZE * norm), clipping, weightFixed(denominator), ...toRing.transforms];
  return {
    ...toRing,
    transforms: transforms.map(({ specification }) => specification),
    slots: NO_SLOTS,
    clip: range,
  };
}

type RingTerms = Pick<EncodingTerms, "levels" | "dimension" | "noiseShare"> & {
  readonly transforms: readonly UpdateTransform[];
};

function centralTerms({ quantise: { bits } }: RunConfig, values: number, range: number): RingTerms {
  return {
    transforms: [quantiseTransform(bits, range, NO_SLOTS)],
    levels: 2 ** (bits - 1) - 1,
    dimension: values,
    noiseShare: 0,
  };
}

function distributedTerms(plan: PrivacyPlan, { seed }: RunConfig, values: number, range: number): RingTerms {
  const { privacy, noiseMultiplier, roster, countedShares } = plan;
  const { bits, mechanism } = privacy;
  const encoding = distributedEncoding({
    coordinates: values,
    clip: range,
    noiseMultiplier,
    bits,
    roster,
    counted: countedShares,
  });
  const { dimension, scale, bound, shareVariance } = encoding;
  const kind = mechanism === "distributed-skellam" ? "skellam" : "gaussian";
  if (shareVariance > 0 && !isAccounted(kind, encoding, countedShares)) {
    throw new MurmurError(
      "ring-too-narrow",
      `privacy.bits is ${bits}: a device's share of the noise deviates by ${Math.sqrt(shareVariance).toFixed(1)} steps of the grid, too few for a sum of shares to be what is accounted.`,
      { hint: "Raise `privacy.bits`." },
    );
  }
  return {
    transforms: [
      rotate(values, range, scale, bits, seed),
      ...(shareVariance > 0 ? [ringNoise(kind, shareVariance)] : []),
    ],
    levels: Math.ceil(bound),
    dimension,
    noiseShare: Math.sqrt(shareVariance),
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
