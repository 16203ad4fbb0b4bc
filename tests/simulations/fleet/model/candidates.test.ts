import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import { selectCandidates } from "../../../../simulations/fleet/model/candidates.ts";
import type { DeviceCourse } from "../../../../simulations/fleet/model/device-course.ts";
import { createFleetModel, type FleetModel } from "../../../../simulations/fleet/model/fleet-model.ts";
import { randomOrder } from "../../../../simulations/fleet/model/random-order.ts";
import { createReturnTimes, returnReason } from "../../../../simulations/fleet/model/return-times.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;
const nobodyAway = () => false;

/** Counts how often a fleet is asked when a device is eligible. */
function counting(fleet: FleetModel): { readonly fleet: FleetModel; asked: number } {
  const counted = {
    asked: 0,
    fleet: {
      ...fleet,
      eligibility: {
        ...fleet.eligibility,
        next(device: number, from: number) {
          counted.asked++;
          return fleet.eligibility.next(device, from);
        },
      },
    },
  };
  return counted;
}

describe("the random order", () => {
  it("is a permutation, the same for the same stream, however much of it is asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer(), (size, seed) => {
        const whole = [...randomOrder(size, seededRandom(seed, "order"))];
        expect([...whole].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
        const started = [];
        for (const number of randomOrder(size, seededRandom(seed, "order"))) {
          started.push(number);
          if (started.length === 3) break;
        }
        expect(started).toEqual(whole.slice(0, 3));
      }),
    );
  });

  it("puts every number in every place equally often", () => {
    const seen = Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
    for (let seed = 0; seed < 20_000; seed++) {
      [...randomOrder(5, seededRandom(seed, "order"))].forEach((number, place) => {
        seen[place][number]++;
      });
    }
    // Binomial, standard deviation 57.
    for (const count of seen.flat()) expect(Math.abs(count - 4_000)).toBeLessThan(300);
  });
});

describe("a selection", () => {
  it("invites eligible devices, each once", () => {
    const fleet = createFleetModel({ size: 2_000, seed: 1 });
    const request = {
      round: 3,
      at: 26 * HOUR,
      invited: 130,
      window: MINUTE,
      isAway: (device: number) => device % 2 === 0,
    };
    const { devices, closesAt } = selectCandidates(fleet, request);
    expect(closesAt).toBe(26 * HOUR);
    expect(new Set(devices).size).toBe(130);
    for (const device of devices) {
      expect(device % 2).toBe(1);
      expect(fleet.eligibility.next(device, 26 * HOUR)?.start).toBeLessThanOrEqual(26 * HOUR);
    }
    expect(selectCandidates(fleet, request).devices).toEqual(devices);
    expect(selectCandidates(fleet, { ...request, round: 4 }).devices).not.toEqual(devices);
  });

  it("favours nobody among the eligible", () => {
    const fleet = createFleetModel({ size: 40, seed: 1 });
    const at = 50 * HOUR;
    const eligible = Array.from({ length: 40 }, (_, i) => i).filter(
      (i) => (fleet.eligibility.next(i, at)?.start ?? at + 1) <= at,
    );
    const times = new Map(eligible.map((device) => [device, 0]));
    for (let round = 0; round < 4_000; round++) {
      const { devices } = selectCandidates(fleet, { round, at, invited: 4, window: 0, isAway: nobodyAway });
      for (const device of devices) times.set(device, (times.get(device) ?? Number.NaN) + 1);
    }
    const expected = 16_000 / eligible.length;
    expect(eligible.length).toBeGreaterThan(8);
    for (const count of times.values()) expect(Math.abs(count / expected - 1)).toBeLessThan(0.12);
  });

  it("asks as many devices in a fleet of a million as in one of a thousand", () => {
    const asked = [1_000, 1_000_000].map((size) => {
      const counted = counting(createFleetModel({ size, seed: 1 }));
      for (let round = 0; round < 50; round++) {
        selectCandidates(counted.fleet, { round, at: 41 * HOUR, invited: 13, window: MINUTE, isAway: nobodyAway });
      }
      return counted.asked / 50 / 13;
    });
    // One in eight is eligible at 17 h.
    for (const each of asked) expect(Math.abs(each - 8)).toBeLessThan(1.2);
  });

  it("waits for those who come within the window, in the order in which they do, when too few are there", () => {
    const fleet = createFleetModel({ size: 300, seed: 1 });
    const at = 41 * HOUR;
    const start = (device: number) => fleet.eligibility.next(device, at)?.start ?? Number.POSITIVE_INFINITY;
    const there = Array.from({ length: 300 }, (_, i) => i).filter((device) => start(device) <= at).length;
    const request = { round: 0, at, window: 20 * MINUTE, isAway: nobodyAway };
    const { devices, closesAt } = selectCandidates(fleet, { ...request, invited: there + 3 });
    expect(devices.length).toBe(there + 3);
    const waitedFor = devices.slice(there).map(start);
    expect(closesAt).toBe(waitedFor[2]);
    const coming = Array.from({ length: 300 }, (_, i) => start(i)).filter((time) => time > at);
    expect(waitedFor).toEqual(coming.sort((a, b) => a - b).slice(0, 3));
    const all = selectCandidates(fleet, { ...request, invited: 300 });
    expect(all.closesAt).toBe(at + 20 * MINUTE);
    expect(all.devices.length).toBe(there + coming.filter((time) => time <= at + 20 * MINUTE).length);
  });

  it("asks who comes later whether they are away then, not now", () => {
    const fleet = createFleetModel({ size: 300, seed: 1 });
    const at = 41 * HOUR;
    const isAway = (_device: number, time: number) => time < at + 10 * MINUTE;
    const { devices } = selectCandidates(fleet, { round: 0, at, invited: 300, window: 20 * MINUTE, isAway });
    expect(devices.length).toBeGreaterThan(0);
    for (const device of devices) {
      expect(fleet.eligibility.next(device, at)?.start).toBeGreaterThanOrEqual(at + 10 * MINUTE);
    }
  });
});

describe("return times", () => {
  it.each([
    [{ kind: "paced", pace: 60_000 }, 60_000],
    [{ kind: "transient" }, 15 * MINUTE],
    [{ kind: "permanent" }, 4 * HOUR],
  ] as const)("%o are within 20 %% about their mean", (why, mean) => {
    const returns = createReturnTimes(1, 5_000);
    expect(returns.of(17)).toBe(Number.NEGATIVE_INFINITY);
    for (let device = 0; device < 5_000; device++) returns.sendAway(device, 1_000, 3, why);
    const delays = Array.from({ length: 5_000 }, (_, device) => (returns.of(device) - 1_000) / mean);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0.8);
    expect(Math.min(...delays)).toBeLessThan(0.801);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1.2);
    expect(Math.max(...delays)).toBeGreaterThan(1.199);
    expect(Math.abs(delays.reduce((sum, delay) => sum + delay, 0) / 5_000 - 1)).toBeLessThan(0.006);
  });

  it("follow from what became of the device", () => {
    const lost = (cause: "network" | "ineligible" | "battery" | "memory" | "compute-error"): DeviceCourse => ({
      kind: "lost",
      device: 0,
      at: 0,
      cause,
      stage: "train",
      reason: "disconnected",
      silent: false,
    });
    const times = { startUp: 0, download: 0, training: 0, masking: 0, upload: 0, total: 0 };
    const done: DeviceCourse = { kind: "completes", device: 0, at: 0, times, eligibleUntil: 1 };
    expect(returnReason(done, 5)).toEqual({ kind: "paced", pace: 5 });
    for (const cause of ["network", "ineligible", "battery"] as const) {
      expect(returnReason(lost(cause), 5)).toEqual({ kind: "transient" });
    }
    for (const cause of ["memory", "compute-error"] as const) {
      expect(returnReason(lost(cause), 5)).toEqual({ kind: "permanent" });
    }
  });
});
