import { gaussianEpsilon } from "../../../shared/privacy/accounting/analytic-gaussian.ts";
import { oneRunEpsilon } from "../../../shared/privacy/audit/one-run-audit.ts";
import { gaussianAuditEpsilon, type TestOutcomes } from "../../../shared/privacy/audit/two-point-audit.ts";
import type { CanaryScores } from "./canary-experiment.ts";

/** What an audit found, beside what is claimed of one release without sampling. */
export interface AuditVerdict {
  readonly delta: number;
  /** ε of the claimed noise multiplier. */
  readonly claimed: number;
  /** ε is at least this, if the noise is Gaussian; wrong with probability 1 % at most. */
  readonly gaussian: number;
  /** ε is at least this, whatever the noise; wrong with probability 5 % at most. */
  readonly oneRun: number;
  /** One of the two is above the claim. */
  readonly accused: boolean;
}

/** Halfway between a canary that is in and one that is not. It is fixed before anything is seen, as it has to be. */
const THRESHOLD = 0.5;
/** Of each of the two Clopper–Pearson bounds. */
const BOUND_ERROR = 0.005;
const ONE_RUN_ERROR = 0.05;
/** Share of the canaries that the audit in one run guesses about, fixed in advance too. */
const GUESSED = 0.2;

/** The verdict on a claim of noise multiplier z for one release, every canary being in one release only. */
export function auditVerdict(scores: CanaryScores, noiseMultiplier: number, delta: number): AuditVerdict {
  const claimed = gaussianEpsilon(noiseMultiplier, delta);
  const gaussian = gaussianAuditEpsilon(thresholdOutcomes(scores), delta, BOUND_ERROR);
  const oneRun = oneRunEpsilon(extremeGuesses(scores), delta, ONE_RUN_ERROR);
  return { delta, claimed, gaussian, oneRun, accused: Math.max(gaussian, oneRun) > claimed };
}

function thresholdOutcomes({ included, scores }: CanaryScores): TestOutcomes {
  let [truePositives, trialsIn, falsePositives, trialsOut] = [0, 0, 0, 0];
  for (let i = 0; i < scores.length; i++) {
    const says = scores[i] > THRESHOLD ? 1 : 0;
    if (included[i] === 1) {
      trialsIn++;
      truePositives += says;
    } else {
      trialsOut++;
      falsePositives += says;
    }
  }
  return { truePositives, trialsIn, falsePositives, trialsOut };
}

/** The highest scores are guessed to be in, as many of the lowest to be out; about the rest there is no guess. */
function extremeGuesses({ included, scores }: CanaryScores) {
  const order = Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b]);
  const each = Math.round((GUESSED / 2) * order.length);
  let correct = 0;
  for (const i of order.slice(0, each)) correct += 1 - included[i];
  for (const i of order.slice(order.length - each)) correct += included[i];
  return { canaries: order.length, guesses: 2 * each, correct };
}
