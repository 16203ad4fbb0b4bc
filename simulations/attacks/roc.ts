/** A score, higher where its example is taken for a member. */
export interface Scored {
  readonly score: number;
  readonly isMember: boolean;
}

export interface RocCurve {
  /** (false-positive rate, true-positive rate) at every threshold, from (0, 0) to (1, 1). */
  readonly points: readonly (readonly [number, number])[];
  /** Area under it: the chance that a member scores higher than one that is none. */
  readonly area: number;
}

/** Receiver operating characteristic; examples of the same score are taken together. */
export function rocCurve(scored: readonly Scored[]): RocCurve {
  const sorted = [...scored].sort((a, b) => b.score - a.score);
  const members = scored.filter(({ isMember }) => isMember).length;
  const others = scored.length - members;
  const points: [number, number][] = [[0, 0]];
  let [hits, alarms, area] = [0, 0, 0];
  for (let i = 0; i < sorted.length; ) {
    const { score } = sorted[i];
    const [before, falseBefore] = [hits, alarms];
    for (; i < sorted.length && sorted[i].score === score; i++) {
      if (sorted[i].isMember) hits++;
      else alarms++;
    }
    area += ((alarms - falseBefore) * (hits + before)) / 2;
    points.push([alarms / others, hits / members]);
  }
  return { points, area: area / (members * others) };
}

/** The largest true-positive rate at a false-positive rate of no more than so much. */
export function truePositivesAt({ points }: RocCurve, falsePositives: number): number {
  return points.reduce((most, [x, y]) => (x <= falsePositives ? Math.max(most, y) : most), 0);
}
