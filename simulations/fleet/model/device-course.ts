import type { DropReason, Stage } from "../../../shared/protocol/reasons.ts";
import { type DeviceTask, type TaskTimes, taskTimes } from "./device-task.ts";
import { type DrawKey, drawKey, drawUniforms } from "./draws.ts";
import type { FleetModel } from "./fleet-model.ts";

/** Everything that can befall an invited device before its update has arrived. */
export const LOSS_CAUSES = {
  /** it was picked up, unplugged, or left the WiFi */
  ineligible: { reason: "disconnected", silent: false },
  /** its program failed while it trained */
  "compute-error": { reason: "training-failed", silent: false },
  /** an exchange with the coordinator failed, and the coordinator hears no more of it */
  network: { reason: "deadline", silent: true },
  /** it has less memory than the task asks for */
  memory: { reason: "declined", silent: false },
  /** its battery is lower than it trains at */
  battery: { reason: "declined", silent: false },
} as const satisfies Readonly<Record<string, { readonly reason: DropReason; readonly silent: boolean }>>;
export type LossCause = keyof typeof LOSS_CAUSES;

/** What becomes of a device between its invitation and its update. Times are milliseconds of virtual time. */
export type DeviceCourse =
  | {
      readonly kind: "completes";
      readonly device: number;
      /** When its update has arrived. */
      readonly at: number;
      readonly times: TaskTimes;
      /** Until when it stays connected. */
      readonly eligibleUntil: number;
    }
  | {
      readonly kind: "lost";
      readonly device: number;
      readonly at: number;
      readonly cause: LossCause;
      /** The stage of the round that it leaves unanswered. */
      readonly stage: Extract<Stage, "configure" | "train" | "keys" | "mask">;
      /** As the coordinator sees it. */
      readonly reason: DropReason;
      /** Whether the coordinator learns of it only when a deadline passes. */
      readonly silent: boolean;
    };

export type Completed = Extract<DeviceCourse, { kind: "completes" }>;
export type Lost = Extract<DeviceCourse, { kind: "lost" }>;

/** Follows an invited device through its task: a function of (fleet, task, device, round, start). */
export interface DeviceCourses {
  /** `startsAt`: when it is invited; `examples`: how many it holds. */
  follow(device: number, round: number, startsAt: number, examples: number): DeviceCourse;
}

/** Draws of a (device, round): an error while training, and a failure of each of three exchanges. */
const DRAWS = 4;
const [COMPUTE, DOWNLOAD, EXCHANGE, UPLOAD] = [0, 1, 2, 3] as const;

/**
 * Three exchanges can fail in a task, each with the network's loss: the download, the one in which masks are agreed on
 * (or the report's announcement, without masks) and the upload. On WiFi, with 0.5 % each, 1.5 % of tasks are lost so.
 */
export function createDeviceCourses(fleet: FleetModel, task: DeviceTask): DeviceCourses {
  const faults: DrawKey = drawKey(fleet.seed, "fault");
  const { access } = fleet.network;
  const uniforms = new Float64Array(2);

  /** The part of a stretch after which a fault of this chance comes; undefined when it does not. */
  function fault(device: number, round: number, draw: number, chance: number): number | undefined {
    drawUniforms(faults, device, round * DRAWS + draw, uniforms);
    return uniforms[0] < chance ? uniforms[1] : undefined;
  }

  function lost(device: number, at: number, cause: LossCause, stage: Lost["stage"]): DeviceCourse {
    return { kind: "lost", device, at, cause, stage, ...LOSS_CAUSES[cause] };
  }

  /** When and how the task would end if the device stayed eligible. */
  function undisturbed(
    device: number,
    round: number,
    startsAt: number,
    times: TaskTimes,
    eligibleUntil: number,
  ): DeviceCourse {
    const fetched = startsAt + times.startUp + times.download;
    const trained = fetched + times.training;
    const masked = trained + times.masking;
    const atDownload = fault(device, round, DOWNLOAD, access.loss);
    if (atDownload !== undefined) {
      return lost(device, fetched - (1 - atDownload) * times.download, "network", "configure");
    }
    const atTraining = fault(device, round, COMPUTE, fleet.computeError);
    if (atTraining !== undefined) {
      return lost(device, fetched + atTraining * times.training, "compute-error", "train");
    }
    const atExchange = fault(device, round, EXCHANGE, access.loss);
    if (atExchange !== undefined) return lost(device, trained, "network", "keys");
    const atUpload = fault(device, round, UPLOAD, access.loss);
    if (atUpload !== undefined) return lost(device, masked + atUpload * times.upload, "network", "mask");
    return { kind: "completes", device, at: startsAt + times.total, times, eligibleUntil };
  }

  return {
    follow(device, round, startsAt, examples) {
      const interval = fleet.eligibility.next(device, startsAt);
      if (interval === undefined || interval.start > startsAt) {
        return lost(device, startsAt, "ineligible", "configure");
      }
      const answered = startsAt + access.roundTrip;
      if (fleet.devices.tier(device).memory < task.minimumMemory) return lost(device, answered, "memory", "configure");
      if (fleet.battery(device, startsAt, interval) < fleet.minimumCharge) {
        return lost(device, answered, "battery", "configure");
      }
      const times = taskTimes(fleet, task, device, round, examples);
      const course = undisturbed(device, round, startsAt, times, interval.end);
      if (course.at <= interval.end) return course;
      const fetched = startsAt + times.startUp + times.download;
      const trained = fetched + times.training;
      const masked = trained + times.masking;
      const { end } = interval;
      const stage = end < fetched ? "configure" : end < trained ? "train" : end < masked ? "keys" : "mask";
      return lost(device, end, "ineligible", stage);
    },
  };
}
