/**
 * Randomness for experiments: partitions, batch order, initial weights, drop-outs, rounding in a simulation. Streams are
 * named by (purpose, round, device), so that what one part draws never shifts what another part draws.
 *
 * Not for secrets: the `kind` field makes it a different type from {@link SecureRandom}.
 */
export interface SeededRandom {
  readonly kind: "seeded";
  /** Uniform in 0 … 2^32 − 1. */
  uint32(): number;
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in 0 … bound − 1, without modulo bias. */
  below(bound: number): number;
  /** Standard normal. */
  normal(): number;
  /** Shuffles in place (Fisher–Yates) and returns its argument. */
  shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T;
}
