import { MurmurError } from "../../../shared/protocol/errors.ts";
import { selectCandidates } from "./candidates.ts";
import { type Completed, createDeviceCourses, type DeviceCourse, LOSS_CAUSES, type Lost } from "./device-course.ts";
import type { DeviceTask } from "./device-task.ts";
import { createEventQueue } from "./event-queue.ts";
import type { FleetModel } from "./fleet-model.ts";
import { createReturnTimes, returnReason } from "./return-times.ts";

export interface AsynchronousTerms {
  /** Milliseconds of virtual time, like all of the times here. */
  readonly startsAt: number;
  /** Devices that are at work at once; one that ends is replaced by another that is eligible then. */
  readonly concurrency: number;
  /** K: updates that make a new model (FedBuff's buffer). */
  readonly goal: number;
  /** An update that began this many versions before the current one is still taken, an older one is not. */
  readonly maxStaleness: number;
  /**
   * Whether a trained device keeps its update until K wait, to be masked with theirs: it is lost when it stops being
   * eligible before. Then the task's upload is only the word that it is trained; what the session sends is part of
   * the session. Otherwise the update waits at the coordinator, and the device is free.
   */
  readonly keepsUpdate: boolean;
  /** A device that has not ended after so long is given up. */
  readonly timeout: number;
  /** When too few devices are eligible, the coordinator looks for more after so long. */
  readonly selectionWindow: number;
  /** How long, on average, a device stays away after its update. */
  readonly pace: number;
  /** How many examples a device holds. */
  examplesOf(device: number): number;
}

/** A device's part in a roster. */
export interface Contribution {
  readonly device: number;
  /** Which start of the fleet's it was, from 0: names what is drawn for it, as a round does. */
  readonly attempt: number;
  /** The version of the model that it was given: what it has to be trained from. */
  readonly version: number;
  /** Versions that are newer than that when it is handed over. */
  readonly staleness: number;
  readonly startsAt: number;
  /** Its whole course; from `course.at` on it waits. */
  readonly course: Completed;
}

/** K trained devices that waited long enough, and what happened since the roster before. */
export interface Roster {
  readonly at: number;
  /** The current version, 0 for the initial model: the roster makes the next one. */
  readonly version: number;
  /** In the order in which they came. */
  readonly contributions: readonly Contribution[];
  /** The oldest version that a device of the roster, or one at work or waiting, was given: older models are not needed. */
  readonly oldestVersion: number;
  /** Devices that were lost at work or while they waited. */
  readonly lost: readonly Lost[];
  /** Devices that came from a model too old, or waited until it was: nobody has to train for them. */
  readonly stale: readonly number[];
  /** Devices that were given up: nor for them. */
  readonly late: readonly number[];
}

/** A start of a device, until it is handed over or gone. */
interface Attempt {
  readonly number: number;
  readonly device: number;
  readonly version: number;
  readonly startsAt: number;
  readonly course: DeviceCourse;
}

interface Waiting extends Attempt {
  readonly course: Completed;
}

const [END, LEAVE, SESSION_END, SELECT] = [0, 1, 2, 3] as const;
/** An event's payload is its attempt and its kind. */
const KINDS = 4;
/** A fleet that has not filled a buffer for so long never will. */
const PATIENCE = 7 * 86_400_000;

/**
 * FedBuff (Nguyen et al. 2022, arXiv 2106.06639, algorithm 1) and Papaya (Huba et al. 2022, arXiv 2111.04877) over the
 * fleet's virtual time: who trains from which version, and who is handed over with whom. It depends on the fleet model
 * alone, so it runs ahead of training: whoever takes the rosters trains exactly the devices in them, from models that it
 * keeps down to `oldestVersion`. Each roster is answered with how long its session
 * takes, milliseconds until there is a new model; meanwhile nobody else is handed over. Endless, unless the fleet cannot fill a buffer within a week.
 *
 * @throws {MurmurError} `config-invalid` for terms under which time would stand still or nothing be handed over
 */
export function* asynchronousRosters(
  fleet: FleetModel,
  task: DeviceTask,
  terms: AsynchronousTerms,
): Generator<Roster, void, number> {
  const { goal, keepsUpdate } = terms;
  requirePossible(terms);
  const courses = createDeviceCourses(fleet, task);
  const returns = createReturnTimes(fleet.seed, fleet.size);
  const queue = createEventQueue();
  const atWork = new Map<number, Attempt>();
  /** Devices that cannot be started. */
  const engaged = new Set<number>();
  let waiting: Waiting[] = [];
  let started = 0;
  let version = 0;
  let inSession = false;
  let selecting = false;
  let losses: Losses = { lost: [], stale: [], late: [] };

  const isTooStale = (attempt: Attempt) => version - attempt.version > terms.maxStaleness;

  function fillPlaces(now: number): void {
    const free = terms.concurrency - atWork.size;
    if (free === 0 || selecting) return;
    const isAway = (device: number) => engaged.has(device) || returns.of(device) > now;
    const { devices } = selectCandidates(fleet, { round: started, at: now, invited: free, window: 0, isAway });
    for (const device of devices) start(device, now);
    selecting = devices.length < free;
    if (selecting) queue.push(now + terms.selectionWindow, SELECT);
  }

  function start(device: number, now: number): void {
    const number = started++;
    const course = courses.follow(device, number, now, terms.examplesOf(device));
    atWork.set(number, { number, device, version, startsAt: now, course });
    engaged.add(device);
    // Of whoever falls silent nothing is heard until the time is up.
    const heardOf = course.kind === "lost" && course.silent ? Number.POSITIVE_INFINITY : course.at;
    queue.push(Math.min(heardOf, now + terms.timeout), number * KINDS + END);
  }

  function letGo({ device, number, course }: Attempt, now: number): void {
    engaged.delete(device);
    returns.sendAway(device, now, number, returnReason(course, terms.pace));
  }

  function end(attempt: Attempt, now: number): void {
    const { device, course } = attempt;
    atWork.delete(attempt.number);
    if (course.at > now) losses.late.push(device);
    else if (course.kind === "lost") losses.lost.push(course);
    else if (isTooStale(attempt)) losses.stale.push(device);
    else {
      waiting.push({ ...attempt, course });
      if (keepsUpdate) {
        if (course.eligibleUntil < Number.POSITIVE_INFINITY) {
          queue.push(course.eligibleUntil, attempt.number * KINDS + LEAVE);
        }
        return;
      }
    }
    letGo(attempt, now);
  }

  /** Takes the waiting ones out that `goes` picks. */
  function takeOut(goes: (attempt: Waiting) => boolean, now: number, tell: (attempt: Waiting) => void): void {
    for (const attempt of waiting) {
      if (!goes(attempt)) continue;
      tell(attempt);
      if (keepsUpdate) letGo(attempt, now);
    }
    waiting = waiting.filter((attempt) => !goes(attempt));
  }

  function happen(now: number, payload: number): void {
    const kind = payload % KINDS;
    const number = (payload - kind) / KINDS;
    if (kind === SESSION_END) {
      inSession = false;
      renew(now);
    } else if (kind === SELECT) {
      selecting = false;
    } else if (kind === LEAVE) {
      const cause = "ineligible";
      takeOut(
        (attempt) => attempt.number === number,
        now,
        ({ device }) =>
          losses.lost.push({ kind: "lost", device, at: now, cause, stage: "keys", ...LOSS_CAUSES[cause] }),
      );
    } else {
      const attempt = atWork.get(number);
      if (attempt !== undefined) end(attempt, now);
    }
  }

  /** There is a new model, and some may have waited too long with an old one. */
  function renew(now: number): void {
    version++;
    takeOut(isTooStale, now, ({ device }) => losses.stale.push(device));
  }

  function handOver(now: number): Roster {
    const roster = waiting.slice(0, goal);
    waiting = waiting.slice(goal);
    if (keepsUpdate) for (const attempt of roster) letGo(attempt, now);
    const { lost, stale, late } = losses;
    losses = { lost: [], stale: [], late: [] };
    return {
      at: now,
      version,
      contributions: roster.map(({ number, device, version: trainedFrom, startsAt, course }) => ({
        device,
        attempt: number,
        version: trainedFrom,
        staleness: version - trainedFrom,
        startsAt,
        course,
      })),
      oldestVersion: [...atWork.values(), ...waiting, ...roster].reduce(
        (least, a) => Math.min(least, a.version),
        version,
      ),
      lost,
      stale,
      late,
    };
  }

  let lastRoster = terms.startsAt;
  fillPlaces(terms.startsAt);
  while (queue.size > 0 && queue.nextTime - lastRoster <= PATIENCE) {
    const now = queue.nextTime;
    const payload = queue.nextPayload;
    queue.drop();
    happen(now, payload);
    if (waiting.length >= goal && !inSession) {
      const sessionTime = yield handOver(now);
      if (!(sessionTime >= 0)) throw new RangeError(`a session takes 0 ms or more, and not ${sessionTime}`);
      inSession = sessionTime > 0;
      if (inSession) queue.push(now + sessionTime, SESSION_END);
      else renew(now);
      lastRoster = now;
    }
    fillPlaces(now);
  }
}

function requirePossible(terms: AsynchronousTerms): void {
  for (const name of ["goal", "concurrency", "timeout", "selectionWindow"] as const) {
    if (!(terms[name] > 0)) throw invalid(name, "above 0", terms[name]);
  }
  for (const name of ["maxStaleness", "pace"] as const) {
    if (!(terms[name] >= 0)) throw invalid(name, "0 or more", terms[name]);
  }
}

function invalid(name: string, range: string, value: number): MurmurError {
  return new MurmurError("config-invalid", `Of asynchronous rounds, ${name} is ${range}, and not ${value}.`);
}

interface Losses {
  readonly lost: Lost[];
  readonly stale: number[];
  readonly late: number[];
}
