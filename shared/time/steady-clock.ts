import type { Clock } from "./clock.ts";

/** The machine's two clocks and its timers. */
export interface TimeSources {
  /** Milliseconds since 1970; people and programs set it. */
  wall(): number;
  /** Milliseconds since some moment; nobody sets it. */
  monotonic(): number;
  after(milliseconds: number, callback: () => void): () => void;
}

/** A {@link Clock} that is brought in line with the machine's only when it is asked to. */
export interface SteadyClock extends Clock {
  /**
   * Takes over what the machine's clock says: between rounds, never within one.
   * @returns milliseconds by which the machine's clock has leapt against the steady one since the last time.
   */
  anchor(): number;
}

/**
 * Deadlines are differences of times, so a clock that is set during a round must not move them: time runs on with the
 * monotonic clock from the moment it was last anchored.
 */
export function steadyClock(sources: TimeSources): SteadyClock {
  let base = sources.wall() - sources.monotonic();
  return {
    now: () => base + sources.monotonic(),
    after: (milliseconds, callback) => sources.after(milliseconds, callback),
    anchor() {
      const wanted = sources.wall() - sources.monotonic();
      const leapt = wanted - base;
      base = wanted;
      return leapt;
    },
  };
}
