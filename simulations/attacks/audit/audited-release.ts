import { transformsOf } from "../../../shared/learning/transforms/index.ts";
import type { UpdateTransform } from "../../../shared/learning/transforms/update-transform.ts";
import type { RunConfig } from "../../experiments/config.ts";
import { isDistributed, privacyPlan } from "../../experiments/privacy/privacy-plan.ts";
import { privateTerms } from "../../experiments/privacy/private-terms.ts";

/** One release of a run under distributed noise, as an audit sees it: what the product does, and what it claims. */
export interface AuditedRelease {
  /** The way of an update into the ring and of the sum back, as devices agree to it. */
  readonly transforms: readonly UpdateTransform[];
  /** Coordinates of an update, and of the ring vector. */
  readonly coordinates: number;
  readonly dimension: number;
  /** b: the ring is Z_{2^b}. */
  readonly bits: number;
  /** C: a device's update is claimed to be no longer. */
  readonly clipNorm: number;
  /** What a sum is divided by. */
  readonly denominator: number;
  /** Devices whose shares make up the claimed noise: u_min less those that may be corrupted. */
  readonly shares: number;
  /** z: the claimed noise on the sum, over the claimed sensitivity. */
  readonly noiseMultiplier: number;
}

/**
 * The release that a configuration comes to, through the same functions that a run takes.
 *
 * @throws {RangeError} unless the configuration's noise is discrete Gaussian shares of its devices.
 */
export function auditedRelease(config: RunConfig, coordinates: number): AuditedRelease {
  const plan = privacyPlan(config);
  if (plan === undefined || !isDistributed(plan.privacy) || plan.noiseMultiplier === 0) {
    throw new RangeError("what is audited is a run whose devices make its noise");
  }
  const terms = privateTerms(plan, config, coordinates);
  return {
    transforms: transformsOf(terms),
    coordinates,
    dimension: terms.dimension,
    bits: plan.privacy.bits,
    clipNorm: plan.clipNorm,
    denominator: plan.denominator,
    shares: plan.countedShares,
    noiseMultiplier: plan.noiseMultiplier,
  };
}
