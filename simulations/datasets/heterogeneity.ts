import { exponential, naturalLog } from "../../shared/random/elementary-functions.ts";
import type { LabelCounts } from "./label-counts.ts";

/** How unlike each other devices are, in what they hold and how much of it. */
export interface Heterogeneity {
  /**
   * Mean total variation distance between a device's labels and everybody's, Σ_k (n_k / n) · ½ Σ_y |p_k(y) − p(y)|: 0 where
   * all are alike, towards 1 where each holds what few hold. It is half the earth mover's distance of Zhao et al. 2018,
   * "Federated learning with non-IID data" (arXiv 1806.00582), section 3, in which FedAvg's weights diverge.
   */
  readonly labelDistance: number;
  /** The same if every device had drawn as many examples at random: devices with few differ by chance alone. */
  readonly labelDistanceByChance: number;
  /** Gini coefficient of the numbers of examples (C. Gini 1912): 0 where all hold as many, towards 1 where one holds all. */
  readonly sizeGini: number;
  readonly smallest: number;
  readonly median: number;
  readonly largest: number;
}

export function heterogeneityOf(counts: LabelCounts): Heterogeneity {
  const { sizes } = counts;
  const sorted = Float64Array.from(sizes).sort();
  return {
    labelDistance: meanDistance(counts),
    labelDistanceByChance: meanDistanceByChance(counts),
    sizeGini: gini(sorted),
    smallest: sorted[0],
    median: (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2,
    largest: sorted[sorted.length - 1],
  };
}

function meanDistance({ labels, sizes, of }: LabelCounts): number {
  const everybodys = population({ labels, sizes, of });
  const total = sum(everybodys);
  let distance = 0;
  for (let device = 0; device < sizes.length; device++) {
    for (let label = 0; label < labels.length; label++) {
      // n_k / n times the difference of shares is one quotient.
      const expected = (sizes[device] * everybodys[label]) / total;
      distance += Math.abs(of[device * labels.length + label] - expected);
    }
  }
  return distance / (2 * total);
}

/** Σ_k Σ_y E|X_ky − E X_ky| / 2n, X_ky hypergeometric: n_k draws from the training set without replacement. */
function meanDistanceByChance({ sizes, pool }: LabelCounts): number {
  const deviation = hypergeometricDeviation(sum(pool));
  const bySize = new Map<number, number>();
  for (const size of sizes) bySize.set(size, (bySize.get(size) ?? 0) + 1);
  let distance = 0;
  for (const [size, devices] of bySize) {
    for (const marked of pool) distance += devices * deviation(marked, size);
  }
  return distance / (2 * sum(sizes));
}

/**
 * Mean absolute deviation of the number of marked ones among `drawn` of `total`, `marked` of which are marked, in closed
 * form: 2 ν (N − K − n + ν) / N · h(ν), ν = ⌊nK / N⌋ + 1 (Diaconis and Zabell 1991, "Closed form summation for classical
 * distributions: variations on a theme of De Moivre", Statistical Science 6(3)).
 */
export function hypergeometricDeviation(total: number): (marked: number, drawn: number) => number {
  const logFactorials = new Float64Array(total + 1);
  for (let n = 2; n <= total; n++) logFactorials[n] = logFactorials[n - 1] + naturalLog(n);
  const logChoose = (n: number, k: number) => logFactorials[n] - logFactorials[k] - logFactorials[n - k];
  return (marked, drawn) => {
    const above = Math.floor((drawn * marked) / total) + 1;
    if (above > marked || above > drawn) return 0;
    const unmarked = total - marked - drawn + above;
    if (unmarked < 0) return 0;
    const probability = exponential(
      logChoose(marked, above) + logChoose(total - marked, drawn - above) - logChoose(total, drawn),
    );
    return (2 * above * unmarked * probability) / total;
  };
}

function gini(ascending: Float64Array): number {
  const weighted = ascending.reduce((all, size, i) => all + (i + 1) * size, 0);
  const { length } = ascending;
  return (2 * weighted) / (length * sum(ascending)) - (length + 1) / length;
}

/** By label, how many examples all devices hold together. */
function population({ labels, sizes, of }: Pick<LabelCounts, "labels" | "sizes" | "of">): Float64Array {
  const held = new Float64Array(labels.length);
  for (let device = 0; device < sizes.length; device++) {
    for (let label = 0; label < labels.length; label++) held[label] += of[device * labels.length + label];
  }
  return held;
}

function sum(values: Iterable<number>): number {
  let all = 0;
  for (const value of values) all += value;
  return all;
}
