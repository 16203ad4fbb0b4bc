/** A point of a learning curve: accuracy on the test set after so many rounds. */
export interface CurvePoint {
  readonly round: number;
  readonly accuracy: number;
}

/**
 * Rounds until an accuracy is reached, as McMahan et al. 2017 (arXiv 1602.05629, section 3) read it off a curve: "making
 * each curve monotonically improving by taking the best value of test-set accuracy achieved over all prior rounds", then
 * "using linear interpolation between the discrete points forming the curve". Undefined where it is not reached.
 *
 * @param curve by ascending round
 */
export function roundsToTarget(curve: readonly CurvePoint[], target: number): number | undefined {
  let best: CurvePoint | undefined;
  for (const point of curve) {
    if (best !== undefined && point.accuracy <= best.accuracy) {
      // The monotonic curve goes on level to here.
      best = { round: point.round, accuracy: best.accuracy };
      continue;
    }
    if (point.accuracy >= target) {
      if (best === undefined) return point.round;
      const share = (target - best.accuracy) / (point.accuracy - best.accuracy);
      return best.round + share * (point.round - best.round);
    }
    best = point;
  }
  return undefined;
}
