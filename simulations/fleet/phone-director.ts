import { selectCandidates } from "./model/candidates.ts";
import { createDeviceCourses, type DeviceCourse, type Lost } from "./model/device-course.ts";
import { type DeviceTask, taskTimes } from "./model/device-task.ts";
import type { FleetModel } from "./model/fleet-model.ts";
import { createReturnTimes, returnReason } from "./model/return-times.ts";
import type { DevicePace, DirectorWatch, Loss, RoundDirector, RoundScript } from "./round-director.ts";

/** How rounds are arranged in a fleet of phones. Milliseconds of virtual time. */
export interface PhoneTerms {
  readonly startsAt: number;
  readonly invited: number;
  /** With fewer no round begins. */
  readonly need: number;
  /** How long a round waits for devices to become eligible. */
  readonly selection: number;
  /** How long, on average, a device stays away after its part in a round. */
  readonly pace: number;
  examplesOf(device: number): number;
}

/** Every hour of the week has gone by: a fleet in which too few devices are eligible for so long has no round. */
const PATIENCE = 7 * 86_400_000;
/** Who waits in vain looks less and less often, but at least every quarter of an hour. */
const LONGEST_WINDOW = 900_000;

/**
 * Phones as `fleet.md` 3.3 to 3.5 has them: a round invites devices that are idle, charging and on WiFi, each takes the
 * time that its tier and its network take, and leaves when it is picked up. Virtual time goes from one round's end to
 * the next one's selection.
 */
export function phoneDirector(fleet: FleetModel, task: DeviceTask, terms: PhoneTerms): RoundDirector {
  const courses = createDeviceCourses(fleet, task);
  const returns = createReturnTimes(fleet.seed, fleet.size);
  let now = terms.startsAt;
  let opened: { readonly round: number; readonly at: number; readonly courses: readonly DeviceCourse[] } | undefined;

  async function gather(round: number, { mayTake, breathe, stopped }: DirectorWatch): Promise<readonly number[]> {
    const isAway = (device: number, at: number) => returns.of(device) > at || mayTake?.(device) === false;
    const latest = now + PATIENCE;
    for (let window = terms.selection; now < latest && !stopped(); window = Math.min(2 * window, LONGEST_WINDOW)) {
      const chosen = selectCandidates(fleet, { round, at: now, invited: terms.invited, window, isAway });
      now = chosen.closesAt;
      if (chosen.devices.length >= terms.need) return chosen.devices;
      await breathe();
    }
    return [];
  }

  return {
    async open(round, watch) {
      const invited = await gather(round, watch);
      const at = now;
      const followed = invited.map((device) => courses.follow(device, round, at, terms.examplesOf(device)));
      opened = { round, at, courses: followed };
      const byDevice = new Map(followed.map((course) => [course.device, course]));
      return {
        invited,
        at,
        lost(device) {
          const course = byDevice.get(device);
          return course?.kind === "lost" ? lossOf(course, at) : undefined;
        },
        pace: phonePace(fleet, task, round, terms.examplesOf),
      } satisfies RoundScript;
    },
    close(elapsed) {
      if (opened === undefined) throw new Error("a round that is closed was opened");
      const { round, at, courses: followed } = opened;
      now = at + elapsed;
      for (const course of followed) {
        // Whoever was not lost before the end comes back at the pace that the coordinator sets.
        const why = course.at > now ? ({ kind: "paced", pace: terms.pace } as const) : returnReason(course, terms.pace);
        returns.sendAway(course.device, Math.min(course.at, now), round, why);
      }
      opened = undefined;
    },
  };
}

/** How long phones take over the parts of a round. */
export function phonePace(
  fleet: FleetModel,
  task: DeviceTask,
  round: number,
  examplesOf: (device: number) => number,
): DevicePace {
  const { devices, network } = fleet;
  const times = (device: number) => taskTimes(fleet, task, device, round, examplesOf(device));
  return {
    accepted(device) {
      const { startUp, download } = times(device);
      return startUp + download;
    },
    trained(device) {
      const { startUp, download, training } = times(device);
      return startUp + download + training;
    },
    answer: (device, bytes, masks) =>
      (masks ? devices.maskingTime(device, task.maskBytes) : 0) + network.transferTime(device, round, "up", bytes),
  };
}

/** A loss of the fleet model as the round meets it. */
export function lossOf({ stage, silent, cause, at }: Lost, startsAt: number): Loss {
  const after = at - startsAt;
  switch (cause) {
    case "memory":
    case "battery":
      return { stage, silent, after, declines: "policy" };
    case "compute-error":
      return { stage, silent, after, declines: "training-failed" };
    case "ineligible":
    case "network":
      return { stage, silent, after };
  }
}
