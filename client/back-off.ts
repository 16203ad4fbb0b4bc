import type { ReturnWindow } from "../shared/protocol/connection-messages.ts";
import type { SecureRandom } from "../shared/random/secure-random.ts";

/** How long to stay away after each failure in a row. */
export interface BackOff {
  /** Milliseconds until the next attempt; longer, on average, each time. */
  next(): number;
  /** The last attempt was a success. */
  reset(): void;
}

/** Mean waits of 125 ms, 250 ms, … 15 s: a fleet is back soon after a restart, and spread out after a long absence. */
const FIRST_CEILING = 250;
const LARGEST_CEILING = 30_000;

/**
 * Exponential with full jitter: uniform between nothing and a ceiling that doubles (Brooker 2015, "Exponential Backoff
 * and Jitter"). Devices that lost one coordinator at the same moment do not come back at the same moment.
 */
export function createBackOff(uniform: () => number): BackOff {
  let failures = 0;
  return {
    next() {
      const ceiling = Math.min(LARGEST_CEILING, FIRST_CEILING * 2 ** failures);
      failures++;
      return Math.floor(uniform() * ceiling);
    },
    reset() {
      failures = 0;
    },
  };
}

/** A whole number of milliseconds within the window, each as likely. */
export function drawReturn({ min, max }: ReturnWindow, uniform: () => number): number {
  return min + Math.floor(uniform() * (max - min + 1));
}

/** Uniform in [0, 1) from the operating system: another device, or the coordinator, cannot foresee it. */
export function secureUniform(random: SecureRandom): () => number {
  return () => {
    const bytes = random.bytes(8);
    const bits = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) >> 11n;
    return Number(bits) * 2 ** -53;
  };
}
