import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DeviceCourse } from "../../../../simulations/fleet/model/device-course.ts";
import { planRound, type RoundTerms } from "../../../../simulations/fleet/model/synchronous-plan.ts";

const times = { startUp: 0, download: 0, training: 0, masking: 0, upload: 0, total: 0 };
const completes = (device: number, at: number): DeviceCourse => ({
  kind: "completes",
  device,
  at,
  times,
  eligibleUntil: Number.POSITIVE_INFINITY,
});
const falls = (device: number, at: number, silent: boolean): DeviceCourse => ({
  kind: "lost",
  device,
  at,
  cause: silent ? "network" : "ineligible",
  stage: "train",
  reason: silent ? "deadline" : "disconnected",
  silent,
});
const TERMS: RoundTerms = { startsAt: 1_000, goal: 3, quorum: 2, reportingWindow: 100, closeAt: "goal" };
const devices = (courses: readonly DeviceCourse[]) => courses.map(({ device }) => device);

describe("the plan of a round", () => {
  it("counts the first K, and leaves the others untrained", () => {
    const plan = planRound([completes(0, 1_050), completes(1, 1_010), completes(2, 1_030), completes(3, 1_020)], TERMS);
    expect([plan.outcome, plan.closedBy, plan.closesAt]).toEqual(["reported", "goal", 1_030]);
    expect(devices(plan.counted)).toEqual([1, 3, 2]);
    expect(devices(plan.late)).toEqual([0]);
  });

  it("takes the lower number of two that come at once", () => {
    const at = 1_010;
    const plan = planRound([completes(9, at), completes(4, at), completes(7, at), completes(2, at)], TERMS);
    expect(devices(plan.counted)).toEqual([2, 4, 7]);
    expect(devices(plan.late)).toEqual([9]);
  });

  it("waits for everybody where all are to close it, and no longer", () => {
    const courses = [completes(0, 1_020), completes(1, 1_010), falls(2, 1_040, false), completes(3, 1_030)];
    const plan = planRound(courses, { ...TERMS, closeAt: "all", goal: 2 });
    expect([plan.outcome, plan.closedBy, plan.closesAt]).toEqual(["reported", "all", 1_040]);
    expect(devices(plan.counted)).toEqual([1, 0, 3]);
    expect(devices(plan.lost)).toEqual([2]);
    expect(plan.late).toEqual([]);
  });

  it("waits until the deadline for one that falls silent", () => {
    const plan = planRound([completes(0, 1_010), falls(1, 1_020, true), completes(2, 1_015)], {
      ...TERMS,
      closeAt: "all",
    });
    expect([plan.outcome, plan.closedBy, plan.closesAt]).toEqual(["reported", "deadline", 1_100]);
    expect(devices(plan.lost)).toEqual([1]);
  });

  it("closes at the deadline with the quorum", () => {
    const plan = planRound([completes(0, 1_010), completes(1, 1_100), completes(2, 1_101)], TERMS);
    expect([plan.outcome, plan.closedBy, plan.closesAt]).toEqual(["reported", "deadline", 1_100]);
    expect(devices(plan.counted)).toEqual([0, 1]);
    expect(devices(plan.late)).toEqual([2]);
  });

  it("is abandoned below the quorum: nobody trains", () => {
    const silent = planRound([completes(0, 1_010), falls(1, 1_050, true)], TERMS);
    expect([silent.outcome, silent.closedBy, silent.closesAt, silent.counted]).toEqual([
      "abandoned",
      "deadline",
      1_100,
      [],
    ]);
    // Once nobody is left there is nothing to wait for.
    const gone = planRound([completes(0, 1_010), falls(1, 1_050, false)], TERMS);
    expect([gone.outcome, gone.closedBy, gone.closesAt]).toEqual(["abandoned", "all", 1_050]);
    const nobody = planRound([], TERMS);
    expect([nobody.outcome, nobody.closedBy, nobody.closesAt]).toEqual(["abandoned", "all", 1_000]);
  });

  const course = fc.tuple(fc.constantFrom("completes", "lost", "silent"), fc.integer({ min: 1_000, max: 1_150 })).map(
    ([kind, at]) =>
      (device: number) =>
        kind === "completes" ? completes(device, at) : falls(device, at, kind === "silent"),
  );
  const courses = fc.array(course, { maxLength: 30 }).map((each) => each.map((make, device) => make(device)));
  const terms = fc.record({
    startsAt: fc.constant(1_000),
    goal: fc.integer({ min: 1, max: 12 }),
    quorum: fc.integer({ min: 1, max: 12 }),
    reportingWindow: fc.integer({ min: 1, max: 120 }),
    closeAt: fc.constantFrom("all" as const, "goal" as const),
  });

  it("does not depend on the order of the devices, and puts each in one place", () => {
    fc.assert(
      fc.property(courses, terms, fc.infiniteStream(fc.nat()), (all, given, order) => {
        const plan = planRound(all, given);
        const keys = new Map(all.map(({ device }) => [device, order.next().value as number]));
        const shuffled = [...all].sort((a, b) => (keys.get(a.device) ?? 0) - (keys.get(b.device) ?? 0));
        expect(planRound(shuffled, given)).toEqual(plan);
        if (plan.outcome === "reported") {
          const placed = devices([...plan.counted, ...plan.lost, ...plan.late]).sort((a, b) => a - b);
          expect(placed).toEqual(devices(all));
        }
      }),
    );
  });

  it("closes no later than its deadline, and everything before the close is accounted for", () => {
    fc.assert(
      fc.property(courses, terms, (all, given) => {
        const plan = planRound(all, given);
        expect(plan.closesAt).toBeGreaterThanOrEqual(given.startsAt);
        expect(plan.closesAt).toBeLessThanOrEqual(given.startsAt + given.reportingWindow);
        for (const { at } of [...plan.counted, ...plan.lost]) {
          expect(at).toBeLessThanOrEqual(given.startsAt + given.reportingWindow);
        }
        for (const { at } of plan.late) expect(at).toBeGreaterThanOrEqual(plan.closesAt);
        if (given.closeAt === "goal") expect(plan.counted.length).toBeLessThanOrEqual(given.goal);
        if (plan.closedBy === "goal")
          expect([given.closeAt, plan.counted.length || given.goal]).toEqual(["goal", given.goal]);
        if (plan.outcome === "reported") expect(plan.counted.length).toBeGreaterThanOrEqual(given.quorum);
      }),
    );
  });
});
