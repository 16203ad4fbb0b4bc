/**
 * What a device does beyond training on what it is sent and answering with the difference. It is part of the round's
 * configuration; absent, it does nothing more.
 */
export type DeviceProcedure = ScaffoldProcedure;

/** SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378): a device keeps a control variate of its own. */
export interface ScaffoldProcedure {
  readonly kind: "scaffold";
  /**
   * The last round whose sum is in what is broadcast: 16 bytes, zeros before the first. What a device kept of a later
   * round was of one that the coordinator lost before it was stored, and is void.
   */
  readonly applied: Uint8Array;
}

/** What {@link ScaffoldProcedure.applied} is before the first round. */
export const NO_ROUND = new Uint8Array(16);
