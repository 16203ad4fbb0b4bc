import type { RunEvent } from "../shared/protocol/events.ts";
import type { Stage } from "../shared/protocol/reasons.ts";
import type { Metrics } from "./api/metrics.ts";

/** Counts what an event tells. */
export function countEvent(metrics: Metrics, event: RunEvent): void {
  switch (event.type) {
    case "device.lost":
      metrics.deviceLost(event.p.reason);
      return;
    case "round.done":
      metrics.roundEnded("committed");
      for (const [stage, seconds] of Object.entries(event.p.seconds)) metrics.stageDone(stage as Stage, seconds);
      return;
    case "round.abandoned":
      metrics.roundEnded("abandoned", event.p.reason);
      return;
    default:
  }
}
