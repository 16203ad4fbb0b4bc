import { type AsynchronousTerms, asynchronousRosters, type Roster } from "./model/asynchronous-plan.ts";
import type { DeviceTask } from "./model/device-task.ts";
import type { FleetModel } from "./model/fleet-model.ts";
import { phonePace } from "./phone-director.ts";
import type { RoundDirector, RoundScript } from "./round-director.ts";

/** What a device does before it waits for others, and with them. */
export interface BufferedTasks {
  readonly untilItWaits: DeviceTask;
  readonly inSession: DeviceTask;
}

/**
 * Asynchronous rounds (FedBuff): devices come and train whenever they are eligible; when K of them wait, they are the
 * roster of one masking session, whose sum makes the next model. A round here is such a session: nobody trains in it, and
 * each device brings an update of the model that it was given when it came.
 */
export function bufferedDirector(
  fleet: FleetModel,
  { untilItWaits, inSession }: BufferedTasks,
  terms: AsynchronousTerms,
): RoundDirector {
  const rosters = asynchronousRosters(fleet, untilItWaits, terms);
  return {
    open(round) {
      const next = rosters.next();
      return next.done === true
        ? { invited: [], lost: () => undefined }
        : script(fleet, inSession, terms, round, next.value);
    },
    // The rosters' own clock goes on by the length of a session that the terms assume.
    close() {},
  };
}

function script(
  fleet: FleetModel,
  task: DeviceTask,
  terms: AsynchronousTerms,
  round: number,
  { at, contributions, lost, stale, late }: Roster,
): RoundScript {
  const pace = phonePace(fleet, task, round, terms.examplesOf);
  const staleness = new Map(contributions.map((contribution) => [contribution.device, contribution.staleness]));
  return {
    invited: contributions.map(({ device }) => device),
    at,
    // Who is handed over is there for the length of a session, and has trained.
    lost: () => undefined,
    lostBefore: [
      ...lost.map(({ device, stage, reason }) => ({ device, stage, reason })),
      // Nobody has to train for an update that comes too late, or of a model that is too old.
      ...[...stale, ...late].map((device) => ({ device, stage: "train", reason: "late" }) as const),
    ],
    pace: {
      accepted: () => fleet.network.access.roundTrip,
      trained: () => fleet.network.access.roundTrip,
      answer: pace.answer,
    },
    trainedFrom(device) {
      const versions = staleness.get(device);
      if (versions === undefined) throw new Error(`device ${device} is not in the roster`);
      return { staleness: versions };
    },
  };
}
