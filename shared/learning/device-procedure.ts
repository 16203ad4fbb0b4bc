/**
 * What a device does beyond training on what it is sent and answering with the difference. It is part of the round's
 * configuration; absent, it does nothing more.
 */
export type DeviceProcedure = ScaffoldProcedure;

/** SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378): a device keeps a control variate of its own. */
export interface ScaffoldProcedure {
  readonly kind: "scaffold";
  /**
   * Rounds that devices may have seen to their end and that the coordinator lost before they were stored: 16 bytes each,
   * ascending. What a device kept of one of them is void.
   */
  readonly lost: readonly Uint8Array[];
}

/** As many as a coordinator names, the latest of them: one for each time that it was killed in the middle of a round. */
export const MOST_LOST_ROUNDS = 1024;
