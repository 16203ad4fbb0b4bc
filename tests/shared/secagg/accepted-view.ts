import { bitCount, corruptedSets, neighbourMasks, type Ring } from "./split-views.ts";

/**
 * Whether so few confirmations let two views be accepted, each by at least one honest device: the honest devices are split
 * into two groups of signers, and the corrupted ones sign both.
 */
export function twoViewsCanBeAccepted(size: number, corrupted: number, quorum: number): boolean {
  const leastSigners = Math.max(1, quorum + 1 - corrupted);
  return 2 * leastSigners <= size - corrupted;
}

/** A sum that lacks an honest survivor of the accepted view. Sets are bit masks over the ring. */
export interface PartialSum {
  readonly corrupted: number;
  readonly accepting: number;
  readonly survivors: number;
  readonly opened: number;
}

export interface SearchOutcome {
  readonly partial: PartialSum | null;
  /** Cases that were examined. */
  readonly cases: number;
}

/**
 * Searches every case of one accepted view (U2, U3) for a sum of honest inputs, not empty, that lacks an honest survivor.
 *
 * A case is who is corrupted, who accepts, which other honest devices U3 names, and who is missing from it. Whatever else
 * the coordinator may choose is given to it at its best: whom it shows which other U2 (an honest survivor that does not
 * accept may have been shown any, one of its own), and whether a missing device is in U2 (it is, if its s can be rebuilt).
 * The number of signers is not asked for either. So null covers any number of views of U2 and of lists.
 */
export function findPartialSum(ring: Ring, maxCorrupted: number): SearchOutcome {
  const neighbours = neighbourMasks(ring);
  const all = 2 ** ring.size - 1;
  let cases = 0;
  for (const corrupted of corruptedSets(ring.size, maxCorrupted)) {
    const honest = all & ~corrupted;
    // Every subset of the honest as survivors, every subset of those as accepting.
    for (let survivors = honest; survivors !== 0; survivors = (survivors - 1) & honest) {
      for (let accepting = survivors; accepting !== 0; accepting = (accepting - 1) & survivors) {
        if (!ownChecksHold(ring, neighbours, accepting, survivors | corrupted)) continue;
        cases++;
        const opened = partialSum(ring, neighbours, corrupted, survivors, accepting);
        if (opened !== 0) return { partial: { corrupted, accepting, survivors, opened }, cases };
      }
    }
  }
  return { partial: null, cases };
}

/** t neighbours in U3, for each that accepts. */
function ownChecksHold(ring: Ring, neighbours: readonly number[], accepting: number, list: number): boolean {
  for (let u = 0; u < ring.size; u++) {
    if ((accepting >> u) & 1 && bitCount(neighbours[u] & list) < ring.threshold) return false;
  }
  return true;
}

/** The largest sum that can be opened and lacks a survivor; 0 for none. */
function partialSum(
  { size, threshold }: Ring,
  neighbours: readonly number[],
  corrupted: number,
  survivors: number,
  accepting: number,
): number {
  let rebuilt = 0;
  for (let u = 0; u < size; u++) if (bitCount(neighbours[u] & (corrupted | accepting)) >= threshold) rebuilt |= 1 << u;
  const dead = rebuilt & ~corrupted & ~survivors;
  for (let lacking = 0; lacking < size; lacking++) {
    if (((survivors >> lacking) & 1) === 0) continue;
    // Both conditions on a member ask for more members, never for fewer: taking out whom they fail leaves the largest sum.
    let opened = survivors & rebuilt & ~(1 << lacking);
    for (let before = -1; before !== opened; ) {
      before = opened;
      for (let u = 0; u < size; u++) {
        if (((opened >> u) & 1) === 0) continue;
        const stays =
          (accepting >> u) & 1
            ? (neighbours[u] & survivors & ~opened) === 0
            : bitCount(neighbours[u] & (corrupted | dead | opened)) >= threshold;
        if (!stays) opened &= ~(1 << u);
      }
    }
    if (opened !== 0) return opened;
  }
  return 0;
}
