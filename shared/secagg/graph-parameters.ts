import {
  type Adversary,
  finder,
  type GraphParameters,
  placementProof,
  tolerated,
  unsplittableThreshold,
} from "./graph-rules.ts";

export type { Adversary, FinderOptions, GraphParameters, Population } from "./graph-rules.ts";
export { finder, placementProof } from "./graph-rules.ts";

/** The degree and threshold that a round runs with, or why it cannot. */
export type SecaggParameters = AgreedParameters | RefusedParameters;

export interface AgreedParameters extends GraphParameters {
  readonly ok: true;
  readonly graph: "complete" | "harary";
  /** Which formula gave them. */
  readonly rule: "complete" | "placement-proof" | "finder";
  /** Corrupted devices in the cohort that the claim stands, A. */
  readonly corruptedTolerated: number;
  /** Drop-outs, plus twice the holders of wrong shares, that the round survives, D. */
  readonly dropoutsTolerated: number;
  /**
   * The strongest coordinator that the graph itself withstands. `active`: one that deviates at will (what a run may
   * print still depends on certificates, see the protection levels). `semi-malicious`: one that is honest until the
   * roster is fixed. `semi-honest`: one that follows the protocol.
   */
  readonly claim: "active" | Adversary;
}

export interface RefusedParameters {
  readonly ok: false;
  readonly code: RefusalCode;
  /** One full sentence. */
  readonly reason: string;
}

export type RefusalCode =
  | "cohort-too-small"
  | "too-many-corrupted"
  | "too-many-dropouts"
  | "degree-exceeds-cohort"
  | "degree-exceeds-slots";

export interface SecaggParametersOptions {
  /** Devices in the roster, n. */
  readonly cohort: number;
  /** Corrupted fraction γ; default 0.05. */
  readonly corrupted?: number;
  /** Drop-out fraction δ; default 0.1. */
  readonly dropout?: number;
  /** `protocol`, the default, chooses by the cohort; the others insist on one formula, at any cohort. */
  readonly rule?: "protocol" | "finder" | "placement-proof";
  /** For `rule: "finder"`; default semi-malicious. */
  readonly adversary?: Adversary;
  /** For `rule: "finder"`; default 64. */
  readonly sigma?: number;
  /** For the finder; default 20. */
  readonly eta?: number;
  /** Tests: the complete graph at any cohort of at most 255. */
  readonly force?: "complete";
}

/** Up to this cohort everyone shares with everyone. */
export const LARGEST_COMPLETE_COHORT = 64;

/** Share slots are the 255 non-zero elements of GF(2^8); the protocol keeps k + 1 ≤ 255. */
export const LARGEST_DEGREE = 254;

/** Two devices would each learn the other's update from the sum. */
const SMALLEST_COHORT = 3;

/**
 * What the protocol does for a cohort. Coordinator and devices call it with the same arguments, each device with the
 * fractions and the rule that it has pinned, and neither sends the answer.
 *
 * - n ≤ 64: complete graph, A = ⌊n/3⌋, t = ⌊(A+k)/2⌋ + 1, D = k - t.
 * - beyond: {@link placementProof} while its degree fits 254 slots, and where it does not, {@link finder} at σ = 64.
 *
 * A cohort whose fractions ask for more than the graph bears is refused, never given a weaker graph.
 *
 * @throws {RangeError} for a cohort that is not a positive integer, or a fraction outside [0, 1).
 */
export function secaggParameters(options: SecaggParametersOptions): SecaggParameters {
  const { cohort, corrupted = 0.05, dropout = 0.1, rule = "protocol", force } = options;
  const { adversary = "semi-malicious", sigma = 64, eta = 20 } = options;
  const population = { cohort, corrupted, dropout };
  const counts = tolerated(population);
  if (cohort < SMALLEST_COHORT) {
    return refuse(
      "cohort-too-small",
      `Secure aggregation needs at least ${SMALLEST_COHORT} devices, and the cohort has ${cohort}.`,
    );
  }
  if (force === "complete" || (rule === "protocol" && cohort <= LARGEST_COMPLETE_COHORT)) {
    return completeGraph(cohort, counts);
  }

  const sparse = (
    name: "finder" | "placement-proof",
    found: GraphParameters | null,
    claim: AgreedParameters["claim"],
  ) => sparseGraph(cohort, counts, name, found, claim);
  if (rule === "finder") return sparse("finder", finder(population, { adversary, sigma, eta }), adversary);
  const proven = placementProof(population);
  if (rule === "placement-proof" || proven === null || proven.degree <= LARGEST_DEGREE) {
    return sparse("placement-proof", proven, "active");
  }
  const found = finder(population, { adversary: "semi-malicious", sigma: 64, eta: 20 });
  return sparse("finder", found, "semi-malicious");
}

interface ToleratedCounts {
  readonly corrupted: number;
  readonly dropped: number;
}

function completeGraph(cohort: number, asked: ToleratedCounts): SecaggParameters {
  const degree = cohort - 1;
  if (degree > LARGEST_DEGREE) return tooManySlots(cohort, degree);
  const corruptedTolerated = Math.floor(cohort / 3);
  const threshold = unsplittableThreshold(corruptedTolerated, degree);
  const dropoutsTolerated = degree - threshold;
  if (asked.corrupted > corruptedTolerated) {
    return refuse(
      "too-many-corrupted",
      `${asked.corrupted} of ${cohort} devices may be corrupted by the configured fraction, and the complete graph bears ` +
        `${corruptedTolerated}.`,
    );
  }
  if (asked.dropped > dropoutsTolerated) {
    return refuse(
      "too-many-dropouts",
      `${asked.dropped} of ${cohort} devices may drop out by the configured fraction, and the complete graph bears ` +
        `${dropoutsTolerated}.`,
    );
  }
  return {
    ok: true,
    graph: "complete",
    rule: "complete",
    degree,
    threshold,
    corruptedTolerated,
    dropoutsTolerated,
    claim: "active",
  };
}

function sparseGraph(
  cohort: number,
  counts: ToleratedCounts,
  rule: "finder" | "placement-proof",
  parameters: GraphParameters | null,
  claim: AgreedParameters["claim"],
): SecaggParameters {
  if (parameters === null) {
    return refuse(
      "degree-exceeds-cohort",
      `With ${counts.corrupted} corrupted and ${counts.dropped} dropped of ${cohort} devices the ${rule} rule needs more ` +
        `neighbours than the ${cohort - 1} there are.`,
    );
  }
  if (parameters.degree > LARGEST_DEGREE) return tooManySlots(cohort, parameters.degree);
  return {
    ok: true,
    graph: "harary",
    rule,
    degree: parameters.degree,
    threshold: parameters.threshold,
    corruptedTolerated: counts.corrupted,
    dropoutsTolerated: counts.dropped,
    claim,
  };
}

function tooManySlots(cohort: number, degree: number): RefusedParameters {
  return refuse(
    "degree-exceeds-slots",
    `A cohort of ${cohort} devices with these fractions needs ${degree} neighbours for each device, and a secret can be ` +
      `shared among at most ${LARGEST_DEGREE}.`,
  );
}

function refuse(code: RefusalCode, reason: string): RefusedParameters {
  return { ok: false, code, reason };
}
