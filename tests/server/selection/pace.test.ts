import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PaceInput, returnWindow } from "../../../server/selection/pace.ts";

const INPUT: PaceInput = { untilRound: 0, interval: 0, population: 100, wanted: 26, waiting: 0, room: 12_000 };

describe("pace steering", () => {
  it("lets a device wait when a round may begin at once, or soon", () => {
    expect(returnWindow(INPUT)).toBeUndefined();
    expect(returnWindow({ ...INPUT, untilRound: 4000, interval: 60_000 })).toBeUndefined();
  });

  it("has a small population come back together, shortly before the round", () => {
    expect(returnWindow({ ...INPUT, untilRound: 600_000, interval: 600_000 })).toEqual({ min: 540_000, max: 600_000 });
    expect(returnWindow({ ...INPUT, untilRound: 20_000, interval: 600_000 })).toEqual({ min: 18_000, max: 20_000 });
  });

  it("spreads a large population over as many rounds as it takes until each device is wanted once", () => {
    const large = { ...INPUT, population: 26_000, untilRound: 600_000, interval: 600_000 };
    expect(returnWindow(large)).toEqual({ min: 600_000, max: 600_000 + 1000 * 600_000 });
  });

  it("sends devices away when there is no room for more to wait", () => {
    const full = returnWindow({ ...INPUT, waiting: 50, room: 50 });
    expect(full?.min).toBeGreaterThanOrEqual(5000);
  });

  it("is a window after the round is due, or before it by a tenth of the pause at most", () => {
    const inputs = fc.record({
      untilRound: fc.integer({ min: -1000, max: 10_000_000 }),
      interval: fc.integer({ min: 0, max: 10_000_000 }),
      population: fc.integer({ min: 0, max: 1_000_000 }),
      wanted: fc.integer({ min: 1, max: 1000 }),
      waiting: fc.integer({ min: 0, max: 20_000 }),
      room: fc.constant(12_000),
    });
    fc.assert(
      fc.property(inputs, (input) => {
        const window = returnWindow(input);
        if (window === undefined) return;
        expect(Number.isInteger(window.min) && Number.isInteger(window.max)).toBe(true);
        expect(window.max).toBeGreaterThanOrEqual(window.min);
        expect(window.min).toBeGreaterThanOrEqual(Math.floor(0.9 * input.untilRound));
        expect(window.max).toBeLessThan(2 ** 31);
      }),
    );
  });
});
