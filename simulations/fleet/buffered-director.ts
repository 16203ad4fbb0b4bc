import type { DropReason } from "../../shared/protocol/reasons.ts";
import {
  type AsynchronousTerms,
  asynchronousRosters,
  type Contribution,
  type Roster,
} from "./model/asynchronous-plan.ts";
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
  let lastSession = 0;
  return {
    async open(round) {
      const next = rosters.next(lastSession);
      if (next.done === true) return { invited: [], lost: () => undefined };
      return script(fleet, inSession, terms, round, next.value);
    },
    close(elapsed) {
      lastSession = elapsed;
    },
  };
}

function script(
  fleet: FleetModel,
  task: DeviceTask,
  terms: AsynchronousTerms,
  round: number,
  { at, contributions, lost, stale, late }: Roster,
): RoundScript {
  const { roundTrip } = fleet.network.access;
  const pace = phonePace(fleet, task, round, terms.examplesOf);
  const byDevice = new Map(contributions.map((contribution) => [contribution.device, contribution]));
  const contributionOf = (device: number): Contribution => {
    const contribution = byDevice.get(device);
    if (contribution === undefined) throw new Error(`device ${device} is not in the roster`);
    return contribution;
  };
  /** Until its upload has arrived: the word to begin, two exchanges, its masks, and the upload. */
  const neededUntil = (device: number) => at + 3 * roundTrip + pace.answer(device, task.uploadBytes, true);
  return {
    invited: contributions.map(({ device }) => device),
    at,
    // Its part of the network's failures was drawn before it waited.
    lost(device) {
      const { eligibleUntil } = contributionOf(device).course;
      if (eligibleUntil >= neededUntil(device)) return undefined;
      return { stage: "mask", silent: false, after: eligibleUntil - at };
    },
    lostBefore: countedLosses(lost, stale, late),
    pace: { accepted: () => roundTrip, trained: () => roundTrip, answer: pace.answer },
    trainedFrom: (device) => ({ staleness: contributionOf(device).staleness }),
  };
}

/** Nobody has to train for an update that comes too late, or of a model that is too old. */
function countedLosses(
  lost: Roster["lost"],
  stale: Roster["stale"],
  late: Roster["late"],
): NonNullable<RoundScript["lostBefore"]> {
  const counts: Partial<Record<DropReason, number>> = {};
  for (const { reason } of lost) counts[reason] = (counts[reason] ?? 0) + 1;
  const tooLate = stale.length + late.length;
  return tooLate === 0 ? counts : { ...counts, late: tooLate };
}
