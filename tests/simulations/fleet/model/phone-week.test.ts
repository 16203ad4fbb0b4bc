import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alwaysEligible, eligibleThrough } from "../../../../simulations/fleet/model/eligibility.ts";
import { eligibilityFigures } from "../../../../simulations/fleet/model/eligibility-figures.ts";
import { phoneEligibility } from "../../../../simulations/fleet/model/phone-week.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("when phones are idle, charging and on WiFi", () => {
  // 20,000 devices for seven days, as the generator was calibrated to Bonawitz et al. 2019. With another seed the shares
  // move by half a point at most and the session quantiles by 1 %: tolerances are twice that.
  const figures = eligibilityFigures(phoneEligibility(1), 20_000, 7);

  it("is 26 % of the time, 53.8 % at 02 h and 12.5 % at 17 h, Eastern clock", () => {
    expect(Math.abs(figures.mean - 0.26)).toBeLessThan(0.01);
    const peak = Math.max(...figures.byHour);
    const trough = Math.min(...figures.byHour);
    expect(Math.abs(peak - 0.538)).toBeLessThan(0.01);
    expect([2, 3]).toContain(figures.byHour.indexOf(peak));
    expect(Math.abs(trough - 0.125)).toBeLessThan(0.01);
    expect([16, 17, 18]).toContain(figures.byHour.indexOf(trough));
  });

  it("swings by 4.3 between day and night; published is 4", () => {
    expect(Math.abs(figures.ratio - 4.3)).toBeLessThan(0.2);
  });

  it("comes in sessions of 3.4, 26 and 137 minutes at 10, 50 and 90 %", () => {
    const [p10, p50, p90] = figures.sessions.map((length) => length / MINUTE);
    expect(Math.abs(p10 / 3.4 - 1)).toBeLessThan(0.03);
    expect(Math.abs(p50 / 26 - 1)).toBeLessThan(0.05);
    expect(Math.abs(p90 / 137 - 1)).toBeLessThan(0.03);
  });

  it.each([
    [60, 1.9],
    [120, 3.7],
    [180, 5.5],
    [300, 8.9],
    [600, 16.6],
  ])("ends within a task of %i s with a chance of %f %%", (seconds, percent) => {
    expect(Math.abs(100 * figures.lostWithin(1000 * seconds) - percent)).toBeLessThan(0.15 + 0.01 * percent);
  });
});

describe("a phone's eligibility", () => {
  const phones = phoneEligibility("any order");
  const instant = fc.double({ min: 0, max: 21 * DAY, noNaN: true });
  const device = fc.nat({ max: 2 ** 32 - 1 });

  it("is the same whatever is asked, and in whatever order", () => {
    const into = new Float64Array(2_000);
    fc.assert(
      fc.property(device, instant, fc.double({ min: 1, max: 3 * DAY, noNaN: true }), (index, from, length) => {
        const count = phones.within(index, from, from + length, into);
        let at = from;
        for (let i = 0; i < count; i++) {
          const next = phones.next(index, at);
          expect([next?.start, next?.end]).toEqual([into[2 * i], into[2 * i + 1]]);
          at = into[2 * i + 1];
        }
        expect(phones.next(index, at)?.start).toBeGreaterThanOrEqual(from + length);
      }),
      { numRuns: 300 },
    );
  });

  it("is disjoint intervals, each inside a charge, and the one at any moment within it is that one", () => {
    fc.assert(
      fc.property(device, instant, fc.double({ min: 0, max: 0.999, noNaN: true }), (index, from, part) => {
        const first = phones.next(index, from);
        if (first === undefined) throw new Error("a phone is eligible in any year");
        expect(first.end).toBeGreaterThan(from);
        expect(first.end).toBeGreaterThan(first.start);
        expect(first.pluggedInAt).toBeLessThanOrEqual(first.start);
        expect(phones.next(index, first.start + part * (first.end - first.start))).toEqual(first);
        const second = phones.next(index, first.end);
        expect(second?.start).toBeGreaterThan(first.end);
      }),
      { numRuns: 300 },
    );
  });

  it("is disjoint from one day to the next, where a long night runs into a day's first charge", () => {
    const into = new Float64Array(600);
    let overlaps = 0;
    for (let index = 0; index < 5_000; index++) {
      const count = phones.within(index, 0, 7 * DAY, into);
      for (let i = 1; i < count; i++) if (into[2 * i] < into[2 * i - 1]) overlaps++;
    }
    expect(overlaps).toBe(0);
  });

  it("is judged through the whole of a task", () => {
    const interval = phones.next(3, 0);
    if (interval === undefined) throw new Error("a phone is eligible in any year");
    const { start, end } = interval;
    expect(eligibleThrough(phones, 3, start, end - start)).toBe(true);
    expect(eligibleThrough(phones, 3, start, end - start + 1)).toBe(false);
    expect(eligibleThrough(phones, 3, start - 1, 1)).toBe(false);
    expect(eligibleThrough(phones, 3, end, 0)).toBe(false);
  });

  it("stops where the room for it does", () => {
    const into = new Float64Array(6);
    expect(phones.within(1, 0, 7 * DAY, into)).toBe(3);
    const more = new Float64Array(400);
    phones.within(1, 0, 7 * DAY, more);
    expect([...into]).toEqual([...more.subarray(0, 6)]);
    expect(phones.within(1, 0, 7 * DAY, new Float64Array(1))).toBe(0);
  });

  // The same on every host: no value may ever change.
  it("is this, for ever", () => {
    expect([0, 1, 2, 999_999].map((index) => phoneEligibility(1).next(index, 40 * HOUR))).toEqual([
      { start: 143039742.32578263, end: 144313515.51198924, pluggedInAt: 141012275.78412837 },
      { start: 168474444.67726657, end: 170474688.69367054, pluggedInAt: 165114438.09524617 },
      { start: 141194498.83646578, end: 144730486.2086764, pluggedInAt: 141194498.83646578 },
      { start: 157426417.01864636, end: 157634936.20330516, pluggedInAt: 157426417.01864636 },
    ]);
  });
});

describe("a device that is always eligible", () => {
  it("is so through any task", () => {
    expect(eligibleThrough(alwaysEligible(), 0, 5, 1e12)).toBe(true);
    const into = new Float64Array(2);
    expect(alwaysEligible().within(0, 0, 1, into)).toBe(1);
    expect([...into]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });
});
