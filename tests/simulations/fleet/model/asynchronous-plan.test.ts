import { describe, expect, it } from "vitest";
import type { MurmurError } from "../../../../shared/protocol/errors.ts";
import {
  type AsynchronousTerms,
  asynchronousRosters,
  type Roster,
} from "../../../../simulations/fleet/model/asynchronous-plan.ts";
import { createFleetModel, type FleetModel } from "../../../../simulations/fleet/model/fleet-model.ts";
import { steadyFleet, TASK, withTaskTime } from "./fleet-for-tests.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TERMS: AsynchronousTerms = {
  startsAt: 20 * HOUR,
  concurrency: 40,
  goal: 10,
  maxStaleness: 5,
  keepsUpdate: true,
  timeout: 5 * MINUTE,
  selectionWindow: MINUTE,
  pace: 10 * MINUTE,
  examplesOf: () => 600,
};

/** So many rosters, whose sessions take so long each. */
function take(
  fleet: FleetModel,
  { sessionTime = 5_000, ...terms }: AsynchronousTerms & { readonly sessionTime?: number },
  count: number,
): Roster[] {
  const generated = asynchronousRosters(fleet, TASK, terms);
  const rosters: Roster[] = [];
  for (let next = generated.next(0); next.done !== true; next = generated.next(sessionTime)) {
    rosters.push(next.value);
    if (rosters.length === count) break;
  }
  return rosters;
}

describe("asynchronous rosters", () => {
  const phones = createFleetModel({ size: 20_000, seed: 1 });
  const slow = { ...TERMS, examplesOf: () => 60_000 };
  const rosters = take(phones, slow, 300);
  const contributions = rosters.flatMap((roster) => roster.contributions.map((each) => ({ ...each, roster })));

  it("are K devices each, a version apart, and no sooner than the session before is over", () => {
    expect(rosters.map(({ version }) => version)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    for (const [i, { at, contributions }] of rosters.entries()) {
      expect(contributions.length).toBe(10);
      expect(new Set(contributions.map(({ device }) => device)).size).toBe(10);
      if (i > 0) expect(at).toBeGreaterThanOrEqual(rosters[i - 1].at + 5_000);
    }
  });

  it("hold devices that are trained, still eligible and not too stale, from the version they started with", () => {
    const madeAt = (version: number) => (version === 0 ? slow.startsAt : rosters[version - 1].at + 5_000);
    for (const { version, staleness, startsAt, course, roster } of contributions) {
      expect(course.at).toBeLessThanOrEqual(roster.at);
      expect(course.at).toBeCloseTo(startsAt + course.times.total, 3);
      expect(course.eligibleUntil).toBeGreaterThanOrEqual(roster.at);
      expect(staleness).toBe(roster.version - version);
      expect(staleness).toBeLessThanOrEqual(5);
      expect(startsAt).toBeGreaterThanOrEqual(madeAt(version));
      if (version < roster.version) expect(startsAt).toBeLessThanOrEqual(madeAt(version + 1));
    }
    expect(new Set(contributions.map(({ staleness }) => staleness)).size).toBeGreaterThan(3);
  });

  it("say which models are not needed any more", () => {
    let neededLater = Number.POSITIVE_INFINITY;
    for (const { oldestVersion, contributions: handedOver } of [...rosters].reverse()) {
      neededLater = Math.min(neededLater, ...handedOver.map(({ version }) => version));
      expect(oldestVersion).toBeLessThanOrEqual(neededLater);
    }
    expect(rosters[299].oldestVersion).toBeGreaterThan(250);
  });

  it("never have more devices at work than the concurrency, and none twice at once", () => {
    const starts = contributions.map(({ startsAt, course, device }) => ({ device, from: startsAt, to: course.at }));
    for (const { from } of starts) {
      const atWork = starts.filter((other) => other.from <= from && from < other.to);
      expect(atWork.length).toBeLessThanOrEqual(40);
      expect(new Set(atWork.map(({ device }) => device)).size).toBe(atWork.length);
    }
  });

  it("account for those who were lost, too slow or too stale", () => {
    const lost = rosters.flatMap((roster) => roster.lost);
    const late = rosters.flatMap((roster) => roster.late).length;
    const stale = rosters.flatMap((roster) => roster.stale).length;
    const started = Math.max(...contributions.map(({ attempt }) => attempt)) + 1;
    expect(new Set(lost.map(({ cause }) => cause))).toEqual(
      new Set(["ineligible", "compute-error", "network", "battery"]),
    );
    expect(late).toBeGreaterThan(0);
    expect(stale).toBeGreaterThan(0);
    // All but those who were at work or waited at the end.
    const unaccounted = started - contributions.length - lost.length - late - stale;
    expect(unaccounted).toBeGreaterThanOrEqual(0);
    expect(unaccounted).toBeLessThanOrEqual(40 + 10);
  });

  it("are the same every time", () => {
    expect(take(createFleetModel({ size: 20_000, seed: 1 }), slow, 300)).toEqual(rosters);
  });

  it("come as fast as the devices do, when all take the same time", () => {
    const fleet = withTaskTime(steadyFleet(500), MINUTE);
    const made = take(fleet, { ...TERMS, startsAt: 0, concurrency: 40, goal: 10, sessionTime: 0 }, 12);
    // Forty start together, from version 0, and end together: four rosters a minute, the first 0 to 3 versions stale.
    expect(made.map(({ at }) => at / MINUTE)).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    expect(made.slice(0, 4).map((roster) => roster.contributions.map(({ staleness }) => staleness))).toEqual(
      [0, 1, 2, 3].map((staleness) => Array(10).fill(staleness)),
    );
  });

  it("wait for the session before, even where enough devices are there", () => {
    const fleet = withTaskTime(steadyFleet(500), MINUTE);
    const made = take(fleet, { ...TERMS, startsAt: 0, sessionTime: MINUTE / 2 }, 5);
    expect(made.map(({ at }) => at / MINUTE)).toEqual([1, 1.5, 2, 2.5, 3]);
  });

  it("see a device again when its pace is over, whether it was handed over or too stale", () => {
    const fleet = withTaskTime(steadyFleet(45), MINUTE);
    for (const [keepsUpdate, sessionTime] of [
      [true, 0],
      [true, MINUTE / 2],
      [false, 0],
    ] as const) {
      // Forty end at once, ten are handed over, thirty are too stale: at once, or when the session is over.
      const terms = { ...TERMS, keepsUpdate, startsAt: 0, sessionTime, maxStaleness: 0 };
      const made = take(fleet, terms, 30);
      expect(made.length).toBe(30);
      const free = new Map<number, number>();
      for (const { at, contributions: handedOver } of made) {
        for (const { device, startsAt, course } of handedOver) {
          const lastFree = free.get(device);
          if (lastFree !== undefined) expect(startsAt - lastFree).toBeGreaterThanOrEqual(8 * MINUTE);
          free.set(device, keepsUpdate ? at : course.at);
        }
      }
      expect(Math.max(...made.map((roster) => roster.stale.length))).toBeGreaterThanOrEqual(20);
      // Everybody of the forty-five, the too stale of the first minute included.
      expect(free.size).toBe(45);
    }
  });

  it("look for devices again where too few were eligible", () => {
    const few = createFleetModel({ size: 30, seed: 1 });
    const made = take(few, { ...TERMS, concurrency: 20, goal: 3 }, 20);
    expect(made.length).toBe(20);
  });

  it("drop those whose model is too old: nobody trains in vain", () => {
    const fleet = withTaskTime(steadyFleet(500), MINUTE);
    const made = take(fleet, { ...TERMS, startsAt: 0, sessionTime: 0, maxStaleness: 1 }, 4);
    for (const { staleness } of made.flatMap((roster) => roster.contributions))
      expect(staleness).toBeLessThanOrEqual(1);
    expect(made.flatMap(({ stale }) => stale).length).toBeGreaterThan(0);
  });

  it("give up a device after the time-out, and one that fell silent only then", () => {
    const steady = withTaskTime(steadyFleet(500), 10 * MINUTE);
    expect(take(steady, { ...TERMS, startsAt: 0, concurrency: 2, goal: 2 }, 1)).toEqual([]);
    const silent = withTaskTime(steadyFleet(500), MINUTE);
    const deaf = { ...silent, network: { ...silent.network, access: { ...silent.network.access, loss: 1 } } };
    expect(take(deaf, { ...TERMS, startsAt: 0, concurrency: 2, goal: 2 }, 1)).toEqual([]);
    const half = { ...silent, network: { ...silent.network, access: { ...silent.network.access, loss: 0.3 } } };
    const [first, second] = take(half, { ...TERMS, startsAt: 0, goal: 30, maxStaleness: 50, concurrency: 100 }, 2);
    expect(first.at).toBe(MINUTE);
    expect(first.lost).toEqual([]);
    expect(second.at).toBeGreaterThan(MINUTE);
  });

  it("let a device go while its update waits at the coordinator", () => {
    // Two at work and ten to be gathered: the first wait for a quarter of an hour.
    const fleet = withTaskTime(createFleetModel({ size: 5_000, seed: 1 }), 3 * MINUTE);
    const left = (keepsUpdate: boolean) =>
      take(fleet, { ...TERMS, keepsUpdate, concurrency: 2, maxStaleness: 50 }, 40)
        .flatMap((roster) => roster.contributions.map(({ course }) => ({ course, at: roster.at })))
        .filter(({ course, at }) => course.eligibleUntil < at).length;
    expect(left(false)).toBeGreaterThan(0);
    expect(left(true)).toBe(0);
  });

  it("end when the fleet cannot fill a buffer", () => {
    expect(take(steadyFleet(5), { ...TERMS, startsAt: 0 }, 1)).toEqual([]);
  });

  it.each([{ goal: 0 }, { concurrency: 0 }, { timeout: 0 }, { selectionWindow: 0 }, { maxStaleness: -1 }])(
    "refuse %o",
    (terms) => {
      expect(() => take(steadyFleet(50), { ...TERMS, ...terms }, 1)).toThrow(
        expect.objectContaining({ name: "config-invalid" }) as MurmurError,
      );
    },
  );

  it("refuse a session of no time that there is", () => {
    expect(() => take(steadyFleet(50), { ...TERMS, startsAt: 0, sessionTime: Number.NaN }, 2)).toThrow(
      /a session takes/,
    );
  });
});
