import type { DeviceCourse } from "./device-course.ts";
import { drawKey, drawUniforms } from "./draws.ts";

/**
 * Pace steering as a device obeys it: it does not come back before its return time. Delays are uniform within 20 % about
 * their means, the retry delays those of Google's client (federated-compute, `fcp/client/flags.h`): 15 minutes after a
 * transient error, 4 hours after a permanent one.
 */
export interface ReturnTimes {
  /** Milliseconds of virtual time before which a device does not come; −∞ when it may come at any time. */
  of(device: number): number;
  /** Sends a device away at a time, and draws when it may return. `round` names the draw. */
  sendAway(device: number, at: number, round: number, why: ReturnReason): void;
}

/** `pace` milliseconds on average where the coordinator steers; the client's own delays after errors. */
export type ReturnReason =
  | { readonly kind: "paced"; readonly pace: number }
  | { readonly kind: "transient" | "permanent" };

const TRANSIENT = 900_000;
const PERMANENT = 14_400_000;
const SPREAD = 0.2;

/** Eight bytes a device. */
export function createReturnTimes(seed: number | string, size: number): ReturnTimes {
  const key = drawKey(seed, "return");
  const times = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const uniforms = new Float64Array(2);
  return {
    of: (device) => times[device],
    sendAway(device, at, round, why) {
      drawUniforms(key, device, round, uniforms);
      times[device] = at + meanDelay(why) * (1 - SPREAD + 2 * SPREAD * uniforms[0]);
    },
  };
}

function meanDelay(why: ReturnReason): number {
  switch (why.kind) {
    case "paced":
      return why.pace;
    case "transient":
      return TRANSIENT;
    case "permanent":
      return PERMANENT;
  }
}

/** Why a device stays away after a round: a task that cannot succeed is not tried again soon. */
export function returnReason(course: DeviceCourse, pace: number): ReturnReason {
  if (course.kind === "completes") return { kind: "paced", pace };
  switch (course.cause) {
    case "compute-error":
    case "memory":
      return { kind: "permanent" };
    case "ineligible":
    case "network":
    case "battery":
      return { kind: "transient" };
  }
}
