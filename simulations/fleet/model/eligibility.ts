/** A stretch of virtual time, milliseconds, in which a device is idle, charging and on an unmetered network. */
export interface EligibleInterval {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** When the charge began that it lies in: the battery has been filling since. */
  readonly pluggedInAt: number;
}

/**
 * When devices may train. Virtual time is milliseconds since midnight, Eastern clock, of the fleet's first day; devices
 * are 0 … size − 1. A function of device and time: asked in any order, it says the same.
 */
export interface Eligibility {
  /**
   * The first eligible interval that ends after `from`: the device is eligible at `from` when `start` <= `from`, and
   * through a task of d milliseconds when also `end` >= `from` + d. Undefined when there is none in the next year.
   */
  next(device: number, from: number): EligibleInterval | undefined;
  /**
   * Writes the eligible intervals that overlap [from, to), in order, start and end in turns, whole, into `into`, as far
   * as it is long. Returns how many there are in it. Far cheaper than asking for one after another.
   */
  within(device: number, from: number, to: number, into: Float64Array): number;
}

/** Devices that can always train: servers, or an experiment that is not about availability. */
export function alwaysEligible(): Eligibility {
  const forever: EligibleInterval = {
    start: Number.NEGATIVE_INFINITY,
    end: Number.POSITIVE_INFINITY,
    pluggedInAt: Number.NEGATIVE_INFINITY,
  };
  return {
    next: () => forever,
    within(_device, _from, _to, into) {
      if (into.length < 2) return 0;
      into[0] = forever.start;
      into[1] = forever.end;
      return 1;
    },
  };
}

/** Whether the device may train at `at` and goes on to for `duration` milliseconds. */
export function eligibleThrough(eligibility: Eligibility, device: number, at: number, duration: number): boolean {
  const interval = eligibility.next(device, at);
  return interval !== undefined && interval.start <= at && interval.end >= at + duration;
}
