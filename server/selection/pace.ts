import type { ReturnWindow } from "../../shared/protocol/connection-messages.ts";

export interface PaceInput {
  /** Milliseconds until the next round begins; 0 or less when it may begin now. */
  readonly untilRound: number;
  /** Milliseconds from one round's beginning to the next. */
  readonly interval: number;
  /** Devices that are enrolled. */
  readonly population: number;
  /** Devices that a round would like to choose from. */
  readonly wanted: number;
  /** Devices that wait already. */
  readonly waiting: number;
  /** Devices that may wait at once. */
  readonly room: number;
}

/** A device that is told to come back this soon may as well stay. */
const SOON_MS = 5_000;
/** A population of fewer rounds' worth of devices comes together for each round; a larger one takes turns. */
const SMALL = 10;
/** Nobody is told to come back later than in a fortnight. */
const LATEST_MS = 14 * 86_400_000;

/**
 * Pace steering (Bonawitz et al. 2019, section 2.3): devices of a small population are made to coincide, so that there
 * are enough of them at once; those of a large one are spread out, so that they come as often as they are needed and not
 * all at once.
 *
 * @returns when a device that checks in now should come back; undefined when it should wait for the round.
 */
export function returnWindow(input: PaceInput): ReturnWindow | undefined {
  const { untilRound, interval, population, wanted, waiting, room } = input;
  const full = waiting >= room;
  if (!full && untilRound <= SOON_MS) return undefined;
  const start = Math.max(untilRound, full ? Math.max(interval, SOON_MS) : 0);
  if (!full && population < SMALL * wanted) {
    // A little before the round, over a tenth of the pause: together, and not in the same second.
    const lead = Math.min(start / 10, 60_000);
    return window(start - lead, start);
  }
  return window(start, start + Math.max(1, population / wanted) * interval);
}

function window(min: number, max: number): ReturnWindow {
  return { min: Math.round(Math.min(min, LATEST_MS)), max: Math.round(Math.min(max, LATEST_MS)) };
}
