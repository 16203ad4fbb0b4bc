import { equalBytes } from "../../shared/crypto/bytes.ts";
import { wrapsAround } from "../../shared/learning/transforms/index.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { assertRingHolds } from "../../shared/secagg/ring-bound.ts";
import { DeviceAbort } from "./device-abort.ts";

/**
 * What a device insists on, whatever the coordinator asks for (`secure-aggregation.md` section 2, "Device policy").
 * It is the device's own configuration; nothing in it ever comes over the wire.
 */
export interface DevicePolicy {
  /** Least number of devices in a roster, in U2 and among the survivors. */
  readonly minCohort: number;
  /** Least number of honest inputs in a sum: |U3| − A. */
  readonly minHonest: number;
  /** γ and δ, from which the device derives graph, degree and threshold. */
  readonly corrupted: number;
  readonly dropout: number;
  /** Largest d. */
  readonly maxDimension: number;
  /** Largest b. */
  readonly maxRingBits: number;
  /** Hashes of the models that it trains, 32 bytes each; any when absent. */
  readonly allowedModels?: readonly Uint8Array[];
  /** Takes part without masks. Only ever for demonstrations and tests. */
  readonly allowPlaintext?: boolean;
  /** Accepts a graph that the cohort's size does not call for. Only ever for tests. */
  readonly allowForcedGraph?: boolean;
}

/** The defaults of `secure-aggregation.md`. */
export const DEFAULT_POLICY: DevicePolicy = {
  minCohort: 16,
  minHonest: 5,
  corrupted: 0.05,
  dropout: 0.1,
  maxDimension: 2 ** 26,
  maxRingBits: 32,
};

/**
 * Holds an agreement against the policy, before anything is signed.
 * @throws {DeviceAbort}
 */
export function checkAgreement(agreement: SecAggAgreement, policy: DevicePolicy, hasAuthority: boolean): void {
  if (agreement.mode === "plaintext" && policy.allowPlaintext !== true) {
    throw new DeviceAbort("policy", "this device does not upload without masks");
  }
  if (agreement.rule !== "protocol" && policy.allowForcedGraph !== true) {
    throw new DeviceAbort("policy", "a forced graph is for tests");
  }
  if ((agreement.level === "active-server") !== hasAuthority) {
    throw new DeviceAbort("policy", "the protection level is not the one that this device is set up for");
  }
  if (agreement.corrupted !== policy.corrupted || agreement.dropout !== policy.dropout) {
    throw new DeviceAbort("policy", "the fractions are not those that this device has pinned");
  }
  if (agreement.dimension > policy.maxDimension) {
    throw new DeviceAbort("policy", `${agreement.dimension} coordinates are more than this device masks`);
  }
  if (agreement.bits > policy.maxRingBits) {
    throw new DeviceAbort("policy", `a ring of ${agreement.bits} bits is wider than this device allows`);
  }
  if (
    policy.allowedModels !== undefined &&
    !policy.allowedModels.some((hash) => equalBytes(hash, agreement.modelHash))
  ) {
    throw new DeviceAbort("policy", "the model is not on this device's list");
  }
  if (agreement.floors.minCohort < policy.minCohort || agreement.floors.minHonest < policy.minHonest) {
    throw new DeviceAbort("below-floor", "the agreed floors are lower than this device's");
  }
  if (agreement.maxCohort < policy.minCohort) {
    throw new DeviceAbort("below-floor", `a cohort of at most ${agreement.maxCohort} is below this device's floor`);
  }
  proveRing(agreement);
}

/**
 * Of a sum that is meant mod the ring, so many deviations of the noise have to fit into it (`privacy.md` 1.9, rule 8, plans
 * for four; shares are then rounded up). Wrapping costs accuracy, and nobody's privacy.
 */
const WRAPPING_DEVIATIONS = 3.5;
/** A coordinate of the summed noise lies beyond this many standard deviations with a probability below 2^-75. */
const TAIL_DEVIATIONS = 10;

/** The bound of section 4, proven by the device itself: no sum of valid inputs wraps around. */
function proveRing(agreement: SecAggAgreement): void {
  const { bits, levels, slots, maxCohort, noiseShare, transforms } = agreement;
  if (wrapsAround(transforms)) {
    if (WRAPPING_DEVIATIONS * Math.sqrt(maxCohort) * noiseShare > 2 ** (bits - 1)) {
      throw new DeviceAbort("ring-too-narrow", `the sum's noise does not fit into a ring of ${bits} bits`);
    }
    return;
  }
  try {
    const noiseTail = TAIL_DEVIATIONS * Math.sqrt(maxCohort) * noiseShare;
    assertRingHolds(bits, { levels, largestSlot: slots.largest, maxInputs: maxCohort, noiseTail });
  } catch (error) {
    if (!(error instanceof MurmurError)) throw error;
    throw new DeviceAbort("ring-too-narrow", error.message);
  }
}
