import type { RunEvent } from "../../shared/protocol/events.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { DROPOUT_STAGES, type DropoutStage, type Vanishing } from "../fleet/dropout-plan.ts";
import type { RoundCourse } from "./in-process-federation.ts";

/**
 * Who was in each round and who was lost where, from the run's events. With sockets not every loss comes from the seed,
 * so a round is played again as it went.
 *
 * A device whose upload is in the sum stays in it, whenever it was lost afterwards.
 */
export function recordedCourses(events: Iterable<RunEvent>): ReadonlyMap<number, RoundCourse> {
  const courses = new Map<number, { invited: DeviceId[]; lost: Map<DeviceId, Vanishing> }>();
  const courseOf = (round: number) => {
    const known = courses.get(round) ?? { invited: [], lost: new Map<DeviceId, Vanishing>() };
    courses.set(round, known);
    return known;
  };
  for (const event of events) {
    if (event.round === undefined) continue;
    const course = courseOf(event.round);
    if (event.type === "device.lost") {
      const { id, at, reason } = event.p;
      const stage = DROPOUT_STAGES.find((name) => name === at);
      if (stage !== undefined) course.lost.set(id as DeviceId, { stage, silent: reason !== "disconnected" });
    } else if (event.type === "device.state") {
      for (const [id, state] of event.p.changes) {
        const device = id as DeviceId;
        if (state === "selected") course.invited.push(device);
        const lost = course.lost.get(device);
        if (state === "summed" && lost !== undefined)
          course.lost.set(device, { ...lost, stage: afterUpload(lost.stage) });
      }
    }
  }
  return courses;
}

/** Its upload had arrived: it was lost while the others' were waited for, or later. */
function afterUpload(stage: DropoutStage): DropoutStage {
  return stage === "unmask" ? "unmask" : "confirm";
}
