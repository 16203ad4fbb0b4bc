import { exponential } from "../../../shared/random/elementary-functions.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { drawLogGamma } from "./gamma.ts";
import { cutEvenly, type Partition } from "./partition.ts";

export interface DirichletOptions {
  /** Concentration α > 0: towards 0 a device sees one label only, towards ∞ it sees them as the whole set has them. */
  readonly alpha: number;
}

/** Below this α a device's draw has one label to within rounding; the logarithms stay finite. */
const ONE_LABEL_ALPHA = 1e-9;

/**
 * Label skew of any degree (Hsu, Qi and Brown 2019, "Measuring the effects of non-identical data distribution", section
 * 3): each device draws its label distribution q ~ Dir(α · p), p being the label frequencies of the whole training set,
 * then its examples one by one, their labels by q, without replacement. A label that has run out leaves q, which is
 * renormalised over the others. Uses every example; device counts differ by at most one.
 *
 * Elsewhere α is often the parameter of every label, and not divided among them: that α is this one over the number of
 * labels.
 */
export function partitionDirichlet(
  labels: ArrayLike<number>,
  devices: number,
  random: SeededRandom,
  { alpha }: DirichletOptions,
): Partition {
  const pools = shuffledPools(labels, random);
  const concentration = Math.max(alpha, ONE_LABEL_ALPHA);
  const concentrations = pools.map((pool) => (concentration * pool.length) / labels.length);
  const slots = cutEvenly(new Int32Array(labels.length), devices, "devices");
  for (const examples of slots) {
    const logWeights = concentrations.map((concentration) => drawLogGamma(concentration, random));
    let weights = remainingWeights(logWeights, pools);
    for (let i = 0; i < examples.length; i++) {
      const pool = pools[drawIndex(weights, random)];
      examples[i] = takeLast(pool);
      if (pool.length === 0) weights = remainingWeights(logWeights, pools);
    }
  }
  return slots;
}

/** Per label that occurs, the indices of its examples in random order. */
function shuffledPools(labels: ArrayLike<number>, random: SeededRandom): number[][] {
  const byLabel = new Map<number, number[]>();
  for (let index = 0; index < labels.length; index++) {
    const pool = byLabel.get(labels[index]);
    if (pool === undefined) byLabel.set(labels[index], [index]);
    else pool.push(index);
  }
  return [...byLabel.keys()].sort((a, b) => a - b).map((label) => random.shuffle(byLabel.get(label) ?? []));
}

/** q over the labels that are left, scaled so that the largest weight is 1: never all zero, however small α is. */
function remainingWeights(logWeights: readonly number[], pools: readonly number[][]): number[] {
  let largest = Number.NEGATIVE_INFINITY;
  logWeights.forEach((logWeight, i) => {
    if (pools[i].length > 0) largest = Math.max(largest, logWeight);
  });
  return logWeights.map((logWeight, i) => (pools[i].length > 0 ? exponential(logWeight - largest) : 0));
}

/** An index drawn in proportion to the weights; never one of weight 0. */
function drawIndex(weights: readonly number[], random: SeededRandom): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  let lastPositive = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    lastPositive = i;
    left -= weights[i];
    if (left < 0) return i;
  }
  return lastPositive;
}

function takeLast(pool: number[]): number {
  const index = pool.pop();
  if (index === undefined) throw new Error("drew from a label that has run out");
  return index;
}
