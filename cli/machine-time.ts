import type { TimeSources } from "../shared/time/steady-clock.ts";

/** A timer of Node's holds 2^31 − 1 ms, and fires at once when it is given more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's clocks and timers. */
export const machineTime: TimeSources = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    let timer: NodeJS.Timeout;
    function wait(left: number): void {
      const now = Math.min(left, LONGEST_TIMER);
      timer = setTimeout(() => (left > now ? wait(left - now) : callback()), now);
    }
    wait(milliseconds);
    return () => clearTimeout(timer);
  },
};
