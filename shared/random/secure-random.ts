/**
 * Randomness for secrets: keys, shares, seeds. It comes from the operating system and from nowhere else.
 *
 * The `kind` field makes it a different type from {@link SeededRandom}, so that a reproducible stream cannot be
 * passed where a secret is drawn.
 */
export interface SecureRandom {
  readonly kind: "secure";
  /** `length` fresh bytes; any length (implementations chunk where the platform limits a call). */
  bytes(length: number): Uint8Array;
}
