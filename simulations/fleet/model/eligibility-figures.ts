import type { Eligibility } from "./eligibility.ts";

/** What a fleet's eligibility looks like: shares of devices, milliseconds. */
export interface EligibilityFigures {
  /** Share of the devices that is eligible, over all of the time. */
  readonly mean: number;
  /** Share that is eligible at each full hour of the Eastern clock, over the days. */
  readonly byHour: readonly number[];
  /** Largest of `byHour` over the smallest. */
  readonly ratio: number;
  /** Lengths of eligible intervals at 10, 50 and 90 %. */
  readonly sessions: readonly [p10: number, p50: number, p90: number];
  /** Chance that a device that is eligible at some moment is not any more before so many milliseconds are over. */
  lostWithin(duration: number): number;
}

const HOUR = 3_600_000;

/** Looks at devices 0 … `devices` − 1 over the fleet's first days; an interval that the last midnight cuts is cut. */
export function eligibilityFigures(eligibility: Eligibility, devices: number, days: number): EligibilityFigures {
  const until = days * 24 * HOUR;
  const byHour = new Array<number>(24).fill(0);
  const lengths: number[] = [];
  const intervals = new Float64Array(2 * 128 * days);
  for (let device = 0; device < devices; device++) {
    const count = eligibility.within(device, 0, until, intervals);
    for (let i = 0; i < count; i++) {
      const start = Math.max(0, intervals[2 * i]);
      const end = Math.min(until, intervals[2 * i + 1]);
      lengths.push(end - start);
      for (let hour = Math.ceil(start / HOUR); hour * HOUR < end; hour++) byHour[hour % 24] += 1 / (devices * days);
    }
  }
  const sorted = Float64Array.from(lengths).sort();
  const eligibleTime = sorted.reduce((sum, length) => sum + length, 0);
  const quantile = (p: number) => sorted[Math.floor(p * sorted.length)];
  return {
    mean: eligibleTime / (devices * until),
    byHour,
    ratio: Math.max(...byHour) / Math.min(...byHour),
    sessions: [quantile(0.1), quantile(0.5), quantile(0.9)],
    lostWithin: (duration) => sorted.reduce((sum, length) => sum + Math.min(length, duration), 0) / eligibleTime,
  };
}
