import type { RunEvent, RunStatus } from "../shared/protocol/events.ts";
import type { Stage } from "../shared/protocol/reasons.ts";

/** Where a run is, as its events tell it. */
export interface RunStatusTracker {
  readonly status: RunStatus;
  /** The round that is under way, or else the last; 0 before the first. */
  readonly round: number;
  /** Null between rounds. */
  readonly stage: Stage | null;
  readonly committed: number;
  advance(event: RunEvent): void;
}

/** @param committed rounds that were committed before */
export function trackRunStatus(committed: number): RunStatusTracker {
  let status: RunStatus = "running";
  let round = 0;
  let stage: Stage | null = null;
  return {
    get status() {
      return status;
    },
    get round() {
      return round;
    },
    get stage() {
      return stage;
    },
    get committed() {
      return committed;
    },
    advance(event) {
      if (event.round !== undefined) round = event.round;
      switch (event.type) {
        case "run.resumed":
          status = "running";
          break;
        case "run.done":
          ({ status } = event.p);
          stage = null;
          break;
        case "round.stage":
          ({ stage } = event.p);
          break;
        case "round.done":
          committed++;
          stage = null;
          break;
        case "round.abandoned":
          stage = null;
          break;
        default:
      }
    },
  };
}
