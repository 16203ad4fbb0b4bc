import { describe, expect, it } from "vitest";
import type { MurmurError } from "../../../../shared/protocol/errors.ts";
import { selectCandidates } from "../../../../simulations/fleet/model/candidates.ts";
import { createDeviceCourses, type DeviceCourse } from "../../../../simulations/fleet/model/device-course.ts";
import { taskEnergy, taskTimes } from "../../../../simulations/fleet/model/device-task.ts";
import type { EligibleInterval } from "../../../../simulations/fleet/model/eligibility.ts";
import { createFleetModel, type FleetModel } from "../../../../simulations/fleet/model/fleet-model.ts";
import { steadyFleet, TASK, withTaskTime } from "./fleet-for-tests.ts";

const DAY = 86_400_000;

function eligibleIn(fleet: FleetModel, interval: EligibleInterval | undefined): FleetModel {
  return { ...fleet, eligibility: { ...fleet.eligibility, next: () => interval } };
}

describe("a task on a device", () => {
  it("is start-up, download, training, masking and upload", () => {
    const fleet = steadyFleet(100);
    const masked = { ...TASK, maskBytes: 1e8 };
    const times = taskTimes(fleet, masked, 5, 3, 600);
    expect(times.startUp).toBe(fleet.devices.tier(5).startUp);
    expect(times.download).toBe(fleet.network.transferTime(5, 3, "down", 800_000));
    expect(times.training).toBe(fleet.devices.trainingTime(5, 3, { ...masked, examples: 600 }));
    expect(times.masking).toBe(fleet.devices.maskingTime(5, 1e8));
    expect(times.upload).toBe(fleet.network.transferTime(5, 3, "up", 800_000));
    const { startUp, download, training, masking, upload } = times;
    expect(times.total).toBeCloseTo(startUp + download + training + masking + upload, 9);
  });

  it("takes energy to compute and to send, and on LTE for the radio's tails", () => {
    const times = { startUp: 0, download: 1000, training: 70_000, masking: 0, upload: 1000, total: 72_000 };
    const task = { ...TASK, downloadBytes: 1.25e6, uploadBytes: 1.25e6 };
    const wifi = createFleetModel({ size: 50, seed: 1 });
    const low = Array.from({ length: 50 }, (_, device) => device).findIndex((i) => wifi.devices.tier(i).name === "low");
    const overWifi = taskEnergy(wifi, task, low, times);
    expect(overWifi.computing).toBeCloseTo(126, 9);
    expect(overWifi.radio).toBeCloseTo(1.5029 + 2.9649, 9);
    // 0.23 % of a battery of 15 Wh, for the training alone.
    expect(overWifi.computing / wifi.devices.tier(low).battery).toBeCloseTo(0.0023, 4);
    expect(overWifi.ofBattery).toBeCloseTo((126 + 4.4678) / 54_000, 9);
    const overLte = taskEnergy(createFleetModel({ size: 50, seed: 1, network: "lte" }), task, low, times);
    expect(overLte.radio).toBeCloseTo(1.808 + (1.288 + 4.384) + 2 * 11.6 * 1.06, 9);
    // The download's tail ends where the upload begins.
    const short = taskEnergy(createFleetModel({ size: 50, seed: 1, network: "lte" }), task, low, {
      ...times,
      training: 600,
    });
    expect(overLte.radio - short.radio).toBeCloseTo(11 * 1.06, 9);
  });
});

describe("an invited device", () => {
  it("completes when its task is done", () => {
    const fleet = withTaskTime(steadyFleet(10), 60_000);
    const course = createDeviceCourses(fleet, TASK).follow(4, 2, 1_000, 600);
    expect(course).toMatchObject({ kind: "completes", device: 4, at: 61_000, eligibleUntil: Number.POSITIVE_INFINITY });
  });

  it.each([
    [1_000 + 5_000, "configure"],
    [1_000 + 19_000, "configure"],
    [1_000 + 21_000, "train"],
    [1_000 + 39_000, "train"],
    [1_000 + 41_000, "keys"],
    [1_000 + 51_000, "mask"],
    [1_000 + 59_999, "mask"],
  ])("that is picked up at %i is lost there and then", (end, stage) => {
    const fleet = eligibleIn(withTaskTime(steadyFleet(10), 60_000), { start: 0, end, pluggedInAt: -DAY });
    const course = createDeviceCourses(fleet, TASK).follow(4, 2, 1_000, 600);
    expect(course).toEqual({
      kind: "lost",
      device: 4,
      at: end,
      cause: "ineligible",
      stage,
      reason: "disconnected",
      silent: false,
    });
  });

  it("that is not eligible at all is lost at once", () => {
    for (const interval of [undefined, { start: 2_000, end: DAY, pluggedInAt: 0 }]) {
      const course = createDeviceCourses(eligibleIn(steadyFleet(10), interval), TASK).follow(4, 2, 1_000, 600);
      expect(course).toMatchObject({ kind: "lost", at: 1_000, cause: "ineligible", stage: "configure" });
    }
  });

  it("declines a task that needs more memory than it has", () => {
    const fleet = steadyFleet(1_000);
    const courses = createDeviceCourses(fleet, { ...TASK, minimumMemory: 4 * 2 ** 30 });
    for (let device = 0; device < fleet.size; device++) {
      const course = courses.follow(device, 0, 0, 600);
      if (fleet.devices.tier(device).name !== "low") expect(course.kind).toBe("completes");
      else
        expect(course).toMatchObject({ kind: "lost", at: 20, cause: "memory", reason: "declined", stage: "configure" });
    }
  });

  it("declines while its battery is low, and not any more when it has charged", () => {
    const charge = { start: 0, end: DAY, pluggedInAt: 0 };
    const fleet = eligibleIn(steadyFleet(1_000), charge);
    const courses = createDeviceCourses(fleet, TASK);
    let declined = 0;
    for (let device = 0; device < fleet.size; device++) {
      const course = courses.follow(device, 0, 0, 600);
      expect(course.kind === "lost").toBe(fleet.battery(device, 0, charge) < 0.15);
      if (course.kind === "completes") continue;
      declined++;
      expect(course).toMatchObject({ cause: "battery", reason: "declined" });
      // From 5 % to 15 % of 19 Wh at 10 W takes 11.4 minutes.
      expect(courses.follow(device, 0, 12 * 60_000, 600).kind).toBe("completes");
    }
    // A level between 5 and 95 % is below 15 in a ninth of all cases.
    expect(Math.abs(declined / fleet.size - 1 / 9)).toBeLessThan(0.03);
  });

  it("fails as often as it should, at every part of its task", () => {
    const fleet = createFleetModel({ size: 100_000, seed: 1, availability: "always" });
    const courses = createDeviceCourses(withTaskTime(fleet, 60_000), TASK);
    const lost = Array.from({ length: fleet.size }, (_, device) => courses.follow(device, 9, 0, 600)).filter(
      (course) => course.kind === "lost",
    );
    const share = (cause: string, stage?: string) =>
      lost.filter((course) => course.cause === cause && (stage ?? course.stage) === course.stage).length / fleet.size;
    expect(Math.abs(share("compute-error") - 0.01)).toBeLessThan(0.001);
    expect(Math.abs(share("network") - 0.015)).toBeLessThan(0.0012);
    for (const stage of ["configure", "keys", "mask"])
      expect(Math.abs(share("network", stage) - 0.005)).toBeLessThan(0.0007);
    for (const course of lost) expect(course.silent).toBe(course.cause === "network");
    const downloads = lost.filter((course) => course.cause === "network" && course.stage === "configure");
    expect(downloads.every(({ at }) => at >= 10_000 && at <= 20_000)).toBe(true);
    const errors = lost.filter((course) => course.cause === "compute-error");
    expect(errors.every(({ at }) => at >= 20_000 && at <= 40_000)).toBe(true);
    const meanOfErrors = errors.reduce((sum, { at }) => sum + at, 0) / errors.length;
    expect(Math.abs(meanOfErrors - 30_000)).toBeLessThan(600);
  });

  it("is lost in 6 to 10 % of three-minute tasks, about 8 %, as Google's are", () => {
    const phones = withTaskTime(createFleetModel({ size: 50_000, seed: 1 }), 180_000);
    const courses = createDeviceCourses(phones, TASK);
    const ended: DeviceCourse[] = [];
    for (let round = 0; round < 250; round++) {
      const at = DAY + (round * 6 * DAY) / 250;
      // As many as are there: a week's tasks are mostly those of its nights.
      const invited = Math.round(300 * share(phones, at));
      const request = { round, at, invited, window: 0, isAway: () => false };
      for (const device of selectCandidates(phones, request).devices)
        ended.push(courses.follow(device, round, at, 600));
    }
    const lost = ended.filter((course) => course.kind === "lost");
    const loss = lost.length / ended.length;
    expect(ended.length).toBeGreaterThan(15_000);
    expect(loss).toBeGreaterThan(0.06);
    expect(loss).toBeLessThan(0.1);
    const undeclined = lost.filter(({ reason }) => reason !== "declined").length / ended.length;
    expect(Math.abs(undeclined - 0.08)).toBeLessThan(0.006);
  });

  it("has the same course whenever it is followed", () => {
    const fleet = createFleetModel({ size: 1_000, seed: "twice" });
    const again = createFleetModel({ size: 1_000_000, seed: "twice" });
    const forward = Array.from({ length: 1_000 }, (_, i) => createDeviceCourses(fleet, TASK).follow(i, 1, DAY, 600));
    const courses = createDeviceCourses(again, TASK);
    const backward = Array.from({ length: 1_000 }, (_, i) => courses.follow(999 - i, 1, DAY, 600)).reverse();
    expect(backward).toEqual(forward);
    expect(new Set(forward.map((course) => course.kind))).toEqual(new Set(["completes", "lost"]));
  });
});

describe("a fleet", () => {
  it.each([
    [{ size: 0 }, "number of devices"],
    [{ size: 2.5 }, "number of devices"],
    [{ size: 10, era: 0 }, "era"],
    [{ size: 10, era: Number.NaN }, "era"],
    [{ size: 10, computeError: 1.1 }, "chance of an error"],
    [{ size: 10, minimumCharge: -0.1 }, "lowest charge"],
  ])("of %o is refused", (options, what) => {
    expect(() => createFleetModel({ seed: 1, ...options })).toThrow(
      expect.objectContaining({ name: "config-invalid", message: expect.stringContaining(what) }) as MurmurError,
    );
  });
});

function share(fleet: FleetModel, at: number): number {
  let eligible = 0;
  for (let device = 0; device < 500; device++) {
    const interval = fleet.eligibility.next(device, at);
    if (interval !== undefined && interval.start <= at) eligible++;
  }
  return eligible / 500;
}
