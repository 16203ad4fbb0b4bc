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
 * One accepted view (U2, U3) and 2t > k + A then leave one sum, that of every honest device in U3. Holders that accept give
 * shares of one kind of each secret pair, s or b, and corrupted ones alone are fewer than t: b is rebuilt only of devices
 * in U3, s only of "dead" ones in U2 \ U3, dishonestly named or not. Let S be the honest contributors to any linear
 * combination that can be opened. Each is in U3 and has b rebuilt, and its honest neighbours in *its own* U2 are in S or
 * dead, for another neighbour's mask would stay.
 *
 * 1. Some member of S accepts. If none did, take any, T, with c ≤ A corrupted neighbours. At least t of T's neighbours were
 *    in T's U2: they are corrupted, dead or in S. At least t gave b_T: they are corrupted or accept. Only the corrupted
 *    are counted twice: 2t ≤ k + c, which is false.
 * 2. A member that accepts has uploaded with the accepted U2, so its honest neighbours in U3 are in S, whether they
 *    accept or not. Suppose an honest device L of U3 is not in S. On the complete graph it is a neighbour: false. On the
 *    Harary graph (k even), going from L around the ring in either direction, let R be the first accepting member of S.
 *    L is more than k/2 places from R, and within k/2 places of R towards L nobody honest accepts: it would be in S, and
 *    nearer. So b_R came from at most k/2 neighbours on the far side and corrupted ones on this side, t − k/2 at least.
 *    The two directions meet different places (also if R is the same device): 2t − k ≤ A, which is false.
 */
export function confirmationQuorum(rosterSize: number, corruptedTolerated: number): number {
  return Math.floor((rosterSize - 1 + corruptedTolerated) / 2) + 1;
}
