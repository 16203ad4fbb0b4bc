/**
 * One release of a sum under differential privacy, as the run's ledger keeps it: written and synced before the sum can
 * be opened, and never taken back, whatever becomes of the round.
 */
export interface LedgerEntry {
  /** The round's number; a retry is a new round, and a new entry. */
  readonly round: number;
  readonly mechanism: string;
  /** q: the chance that was used of each eligible device to be in the round; 1: no sampling. */
  readonly sampling: number;
  /** z, as it was used. */
  readonly noiseMultiplier: number;
  /** Releases that the entry stands for. */
  readonly steps: number;
  /** δ of the run, and what of it the accountant has. */
  readonly delta: number;
  readonly accountedDelta: number;
  /** Rényi divergence by order: what later entries are added to. */
  readonly orders: readonly number[];
  readonly rdp: readonly number[];
  /** Milliseconds since 1970. */
  readonly at: number;
}
