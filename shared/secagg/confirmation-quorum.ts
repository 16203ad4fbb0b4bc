/**
 * Confirmations of one view (U2, U3) that a device needs from other survivors, anywhere in the roster, before it gives a
 * share: q = ⌊(n − 1 + A)/2⌋ + 1. On the complete graph it is the threshold t.
 *
 * With its own, a device that accepts a view has seen more than (n + A)/2 devices sign it. Two accepted views would have
 * more than A signers in common, and so an honest one, which signs one view only: there is one accepted view, whatever
 * lists the coordinator shows to whom.
 *
 * Confirmations of neighbours alone (t of k) do not give that on a sparse graph. With n = 100, k = 26, t = 16, A = 5 a
 * coordinator that shows two victims a shorter U2 and then two lists of survivors to two groups collects b of the
 * victims from one group and s of their U2-neighbours from the other, and opens a sum of two updates.
 *
 * One accepted view, 2t > k + A and k > A + D then leave no partial sum. Let S be the honest members of a sum that can be
 * opened, each with b rebuilt and no mask left to a device outside S that is honest and not dead in the accepted view.
 *
 * 1. If no member of S holds the accepted view: take one, T, with c corrupted neighbours. Its U2 had t neighbours, all
 *    corrupted, dead or in S; b_T came from t neighbours that are corrupted or accept. The four kinds are disjoint:
 *    2t ≤ k + c ≤ k + A, which is false.
 * 2. Otherwise every survivor that accepts and neighbours a member that accepts is in S. If some accepting survivor were
 *    not, the ring would have two gaps of at least k/2 places without accepting devices between the two sides. b of the
 *    last member before a gap came from at most k/2 accepting neighbours and the corrupted ones in the gap, so each gap
 *    holds t − k/2 corrupted devices: 2t − k ≤ A, which is false. So S holds every survivor that accepts.
 */
export function confirmationQuorum(rosterSize: number, corruptedTolerated: number): number {
  return Math.floor((rosterSize - 1 + corruptedTolerated) / 2) + 1;
}
