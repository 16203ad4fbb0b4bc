import type { SecureRandom } from "../../random/secure-random.ts";
import type { SeededRandom } from "../../random/seeded-random.ts";

/**
 * Uniform words of 32 bits that noise is made of. Their origin is part of the type: where noise protects somebody, only
 * the operating system's will do, and words of a seed cannot be passed there.
 */
export interface NoiseWords<Origin extends "system" | "seeded" = "system" | "seeded"> {
  readonly origin: Origin;
  /** Fills every word with fresh ones. */
  fill(words: Uint32Array): void;
}

/** For noise that protects somebody. */
export function systemWords(random: SecureRandom): NoiseWords<"system"> {
  return {
    origin: "system",
    fill(words) {
      new Uint8Array(words.buffer, words.byteOffset, words.byteLength).set(random.bytes(words.byteLength));
    },
  };
}

/** For an experiment that can be repeated: whoever knows the seed can take the noise away again. */
export function seededWords(random: SeededRandom): NoiseWords<"seeded"> {
  return { origin: "seeded", fill: random.fill };
}
