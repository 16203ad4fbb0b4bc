import type { AbandonReason, DropReason, RoundOutcome, Stage } from "./reasons.ts";

/** What is kept of a round for good, as JSON. Sums and counts only: nothing in it is about one device. */
export interface RoundRecord {
  readonly round: number;
  readonly outcome: RoundOutcome;
  /** Why it was abandoned. */
  readonly reason?: AbandonReason;
  readonly detail?: string;
  readonly invited: number;
  /** Devices whose updates are in the sum; 0 for an abandoned round. */
  readonly survivors: number;
  /** Devices that left, by reason; reasons that did not occur are absent. */
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  /** Of the new model on the public test set, 0 to 1; absent where the round was not evaluated. */
  readonly accuracy?: number;
  /** Mean training loss over the survivors' examples, from the sum's metric slots; nats. */
  readonly loss?: number;
  /** Of the new model on the public test set; nats. */
  readonly testLoss?: number;
  /** Euclidean norm of the mean update that the model moved by; absent for an abandoned round. */
  readonly updateNorm?: number;
  /** ε spent by the end of the round, this one included; absent without differential privacy. */
  readonly epsilon?: number;
  /** Over all devices of the round. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** When it was by the fleet's virtual clock, and how long it took by it, milliseconds; absent without one. */
  readonly virtual?: { readonly at: number; readonly elapsed: number };
  /**
   * Devices whose training came to nothing since the round before, by reason: they waited, or were at work, and are in no
   * round. Absent where devices train in rounds.
   */
  readonly lostBefore?: Readonly<Partial<Record<DropReason, number>>>;
  /** How long each stage that was reached took. */
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
  /** Oracle, only where one process owns all devices: the unmasked sum equals the plain sum bit for bit. */
  readonly exact?: boolean;
  /** SHA-256 of the model after the round, hexadecimal; of the unchanged model for an abandoned round. */
  readonly modelHash: string;
  /** When it ended, milliseconds since 1970, by the run's clock. */
  readonly at: number;
}
