import type { TimeSources } from "../shared/time/steady-clock.ts";

/** The machine's clocks and timers. */
export const machineTime: TimeSources = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};
