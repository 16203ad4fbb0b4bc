/** Makes one update of many. What needs each of them cannot be had under secure aggregation, which has their sum alone. */
export interface AggregationRule {
  readonly name: string;
  /** Whether it looks at single updates. */
  readonly needsUpdates: boolean;
  /** What that means under secure aggregation. */
  readonly underMasks: string;
  aggregate(updates: readonly Float32Array[], attackers: number): Float32Array;
}

/** Every rule of the comparison, in its order. To add one, add it here. */
export const AGGREGATION_RULES: readonly AggregationRule[] = [
  { name: "mean", needsUpdates: false, underMasks: "yes", aggregate: mean },
  {
    name: "norm bound",
    needsUpdates: false,
    underMasks: "yes, if devices clip and prove it",
    aggregate: (updates) => mean(updates.map((update) => bounded(update, 1))),
  },
  { name: "median", needsUpdates: true, underMasks: "no", aggregate: coordinateMedian },
  { name: "trimmed mean", needsUpdates: true, underMasks: "no", aggregate: (updates) => trimmedMean(updates, 0.2) },
  {
    name: "Krum",
    needsUpdates: true,
    underMasks: "no",
    aggregate: (updates, attackers) => updates[krumOrder(updates, attackers)[0]],
  },
  {
    name: "multi-Krum",
    needsUpdates: true,
    underMasks: "no",
    aggregate: (updates, attackers) =>
      mean(
        krumOrder(updates, attackers)
          .slice(0, updates.length - attackers)
          .map((place) => updates[place]),
      ),
  },
];

export function mean(updates: readonly Float32Array[]): Float32Array {
  const total = new Float64Array(updates[0].length);
  for (const update of updates) for (let i = 0; i < total.length; i++) total[i] += update[i];
  return Float32Array.from(total, (value) => value / updates.length);
}

function bounded(update: Float32Array, norm: number): Float32Array {
  let square = 0;
  for (let i = 0; i < update.length; i++) square += update[i] * update[i];
  const factor = Math.min(1, norm / Math.sqrt(square));
  return update.map((value) => value * factor);
}

/** Coordinate by coordinate, the middle value, or the mean of the two in the middle (Yin et al. 2018, arXiv 1803.01498). */
export function coordinateMedian(updates: readonly Float32Array[]): Float32Array {
  const middle = updates.length >> 1;
  const isOdd = updates.length % 2 === 1;
  return byCoordinate(updates, (sorted) => (isOdd ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2));
}

/** Coordinate by coordinate, the mean without the largest and smallest ones, `share` of them on either side (the same paper). */
export function trimmedMean(updates: readonly Float32Array[], share: number): Float32Array {
  const trimmed = Math.floor(share * updates.length);
  return byCoordinate(updates, (sorted) => {
    let sum = 0;
    for (let i = trimmed; i < sorted.length - trimmed; i++) sum += sorted[i];
    return sum / (sorted.length - 2 * trimmed);
  });
}

function byCoordinate(updates: readonly Float32Array[], of: (sorted: Float32Array) => number): Float32Array {
  const result = new Float32Array(updates[0].length);
  const column = new Float32Array(updates.length);
  for (let i = 0; i < result.length; i++) {
    for (let k = 0; k < column.length; k++) column[k] = updates[k][i];
    result[i] = of(column.sort());
  }
  return result;
}

/**
 * Places of updates, the most trusted first: by the sum of squared distances to the n − f − 2 nearest others (Krum;
 * Blanchard et al. 2017, "Machine Learning with Adversaries").
 *
 * @param attackers f
 */
export function krumOrder(updates: readonly Float32Array[], attackers: number): number[] {
  const n = updates.length;
  const near = n - attackers - 2;
  if (near < 1)
    throw new RangeError(`Krum needs more than ${attackers + 2} updates to withstand ${attackers} attackers`);
  const distances = updates.map(() => new Float64Array(n));
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const distance = squaredDistance(updates[a], updates[b]);
      distances[a][b] = distance;
      distances[b][a] = distance;
    }
  }
  const scores = distances.map((row, own) => {
    const others = [...row].filter((_, other) => other !== own).sort((p, q) => p - q);
    return others.slice(0, near).reduce((sum, distance) => sum + distance, 0);
  });
  return scores.map((_, place) => place).sort((p, q) => scores[p] - scores[q]);
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}
