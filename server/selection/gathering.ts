/**
 * When a round may begin: once everybody who is expected is there, or, after the selection window, with whoever is, as
 * long as that is enough. Below the least number no round begins, however long it takes (`fleet.md` 3.4).
 */
export interface Gathering {
  /**
   * @param waiting devices that wait, and may be invited
   * @param expected devices that would wait if all came that can be counted on
   * @returns `all` and `enough` begin the round; `enough` without some that were expected.
   */
  verdict(now: number, waiting: number, expected: number): "wait" | "all" | "enough";
  /** When to ask again though nobody came; undefined while only somebody's coming can help. */
  readonly deadline: number | undefined;
}

export interface GatheringOptions {
  /** The least number of devices with which a round may begin. */
  readonly need: number;
  /** Milliseconds that the devices have, counted anew from when enough of them are there. */
  readonly window: number;
  readonly startedAt: number;
}

export function createGathering({ need, window, startedAt }: GatheringOptions): Gathering {
  let enoughSince: number | undefined;
  return {
    get deadline() {
      return enoughSince === undefined ? undefined : enoughSince + window;
    },
    verdict(now, waiting, expected) {
      if (waiting < need) {
        enoughSince = undefined;
        return "wait";
      }
      if (waiting >= expected) return "all";
      // Those who were there in time do not make the others' window longer.
      enoughSince ??= now - startedAt < window ? startedAt : now;
      return now < enoughSince + window ? "wait" : "enough";
    },
  };
}
