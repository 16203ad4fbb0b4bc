import { gaussianEpsilon } from "../accounting/analytic-gaussian.ts";

/** Noise on every node of a binary tree over the rounds; after each tree the devices may take part again. */
export interface TreeAggregation {
  readonly roundsPerTree: number;
  readonly trees: number;
  /** Standard deviation of a node's noise over the clip norm. */
  readonly noiseMultiplier: number;
}

/** h = ⌈log₂(rounds + 1)⌉: how many nodes a round touches. */
export function treeHeight(rounds: number): number {
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError(`a tree has at least one round, not ${rounds}`);
  let height = 1;
  while (2 ** height - 1 < rounds) height++;
  return height;
}

/**
 * The zero-concentrated guarantee ρ = h·R/(2z²) of DP-FTRL with R trees, for a device that takes part at most once in
 * each and whose contribution is replaced by zero (Kairouz et al. 2021, arXiv 2103.00039).
 */
export function treeConcentration({ roundsPerTree, trees, noiseMultiplier }: TreeAggregation): number {
  return (treeHeight(roundsPerTree) * trees) / (2 * noiseMultiplier * noiseMultiplier);
}

/** ε of the same, exact: the nodes that a device touches are h·R Gaussian mechanisms. */
export function treeEpsilon({ roundsPerTree, trees, noiseMultiplier }: TreeAggregation, delta: number): number {
  return gaussianEpsilon(noiseMultiplier / Math.sqrt(treeHeight(roundsPerTree) * trees), delta);
}
