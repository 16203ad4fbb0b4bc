import type { Device, DeviceEffects, TrainingRequest } from "../../client/device.ts";
import type { EarlierModel, TrainingResult } from "../../client/training/trainer.ts";
import type { ConnectionLoss, Round, RoundEffects, RoundFact } from "../../server/round.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { AbortCode } from "../../shared/protocol/reasons.ts";
import { type DropoutStage, stageAnswered } from "./dropout-plan.ts";
import type { Loss } from "./round-director.ts";
import { createTimeline } from "./timeline.ts";
import { WorkerLost } from "./training/worker-thread.ts";

/** The transport of a round in one process: encoded frames and a virtual clock. */
export interface InProcessRoundOptions {
  readonly round: Round;
  /** The model's bytes, for a device that fetches them: they are its own. */
  model(): Uint8Array;
  /** The device behind a name, made when it is first spoken to. */
  device(id: DeviceId): Device;
  /** Told once who is going to train, in the order in which the word of it will arrive. */
  onOrders(orders: readonly TrainingOrder[]): void;
  train(order: TrainingOrder): Promise<TrainingResult>;
  /** Told before the device gives up its round; an error of the program itself should be thrown on. */
  onTrainingError(id: DeviceId, error: unknown): void;
  lost(id: DeviceId): Loss | undefined;
  /** What a device sends that declines the round. */
  decline(code: AbortCode): Uint8Array;
  /** How long devices take; without it they take no time. */
  readonly pace?: RoundPace;
  /** Milliseconds that an upload may take. */
  readonly uploadDeadline: number;
  /** Application bytes of a frame, where that is not what it has here. */
  bytesOf(frame: Uint8Array): number;
  /** Called with what happened, in order, as it happens. */
  onFacts(facts: readonly RoundFact[]): void;
  /** Lets the process's other events in (signals, drawing); called between trainings. */
  breathe(): Promise<void>;
  /** Abandons the round when it says true. */
  stopped(): boolean;
  /** Settles when it begins to: a training is not waited for any longer then. */
  readonly halted: Promise<unknown>;
  /** The virtual clock's start, milliseconds: never the host's time in the middle of a round. */
  readonly startsAt: number;
}

export interface TrainingOrder {
  readonly id: DeviceId;
  readonly request: TrainingRequest;
  /** What the device began at, where that is not the model that it is sent: it trained before this round. */
  readonly earlier?: EarlierModel;
}

/** How long devices take, in virtual milliseconds: functions of the device, never of the host. */
export interface RoundPace {
  /** From the round's start until the word that the device has trained, of so many bytes, has arrived. */
  trained(id: DeviceId, bytes: number): number;
  /** From a request until any other answer, of so many bytes, has arrived. */
  answer(id: DeviceId, stage: Exclude<DropoutStage, "train">, bytes: number): number;
}

export interface InProcessTraffic {
  /** Application bytes, all frames, over all devices. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export interface PlayedInProcess extends InProcessTraffic {
  /** Virtual milliseconds from the round's start to its end. */
  readonly elapsed: number;
}

/** What is on its way to the coordinator. */
type Arrival =
  | { readonly kind: "frame"; readonly from: DeviceId; readonly frame: Uint8Array }
  | { readonly kind: "closed"; readonly from: DeviceId; readonly reason?: ConnectionLoss };

/**
 * Runs one round to its end. Every frame is encoded and decoded as it would be on a socket; only the wire is missing.
 * Virtual time moves when, and only when, nothing is left to deliver: to the next arrival, or to the next deadline. So a
 * silent device costs no real time, and no result depends on how fast the host is.
 *
 * Uploads are not made to take turns, as they are on sockets: the order of turns is that of the devices' keys, and a
 * clock that depended on secrets would not be the experiment's. Each has as long as a turn has.
 */
export async function runInProcess(options: InProcessRoundOptions): Promise<PlayedInProcess> {
  const { round, startsAt, pace } = options;
  const gone = new Set<DeviceId>();
  const spokenTo = new Set<DeviceId>();
  const toDevices: { to: DeviceId; frame: Uint8Array }[] = [];
  const arrivals = createTimeline<Arrival>();
  const trainings = createTimeline<TrainingOrder>();
  let now = startsAt;
  let bytesUp = 0;
  let bytesDown = 0;
  let ordered = false;

  function takeRound(effects: RoundEffects): void {
    for (const outgoing of effects.send) {
      bytesDown += options.bytesOf(outgoing.frame);
      toDevices.push(outgoing);
    }
    if (effects.facts.length > 0) options.onFacts(effects.facts);
  }

  /** What a device sends at once is one answer: an upload is several frames. */
  function takeDevice(id: DeviceId, effects: DeviceEffects): void {
    if (effects.send.length === 0 || gone.has(id)) return;
    const stage = stageAnswered(effects.send[0]);
    const bytes = effects.send.reduce((sum, frame) => sum + options.bytesOf(frame), 0);
    const takes = stage === undefined || stage === "train" ? 0 : (pace?.answer(id, stage, bytes) ?? 0);
    const arrives = now + takes;
    const loss = options.lost(id);
    if (loss !== undefined && loss.stage === stage) {
      lose(id, loss, arrives);
      return;
    }
    if (stage === "mask" && takes > options.uploadDeadline) {
      timeOut(id);
      return;
    }
    bytesUp += bytes;
    for (const frame of effects.send) arrivals.add(arrives, { kind: "frame", from: id, frame });
  }

  function deliverToDevice(id: DeviceId, frame: Uint8Array): void {
    if (gone.has(id)) return;
    const device = options.device(id);
    spokenTo.add(id);
    let effects = device.receive(now, frame);
    if (effects.fetch !== undefined) {
      const model = options.model();
      bytesDown += model.length;
      effects = device.fetched(now, model);
    }
    takeDevice(id, effects);
    if (effects.train === undefined || gone.has(id)) return;
    // A device trains when the word of it arrives: whether it counts is known by then.
    const ready = pace === undefined ? now : startsAt + pace.trained(id, HEADER_BYTES);
    const loss = options.lost(id);
    if (loss?.stage === "train") lose(id, loss, ready);
    else trainings.add(ready, { id, request: effects.train });
  }

  async function finishTraining(order: TrainingOrder): Promise<void> {
    const { id } = order;
    await options.breathe();
    // A device that the round went on without has given its round up already.
    if (gone.has(id) || options.stopped() || options.device(id).phase !== "training") return;
    const device = options.device(id);
    const ended = await Promise.race([settled(options.train(order)), options.halted.then(() => undefined)]);
    if (ended === undefined || options.stopped()) return;
    takeDevice(id, "error" in ended ? failed(id, device, ended.error) : device.trained(now, ended.result));
  }

  function failed(id: DeviceId, device: Device, error: unknown): DeviceEffects {
    // A thread that is gone is no device's fault.
    if (error instanceof WorkerLost) throw error;
    if (error instanceof MurmurError && error.name === "non-finite-update") {
      return device.trainingFailed(now, "non-finite-update");
    }
    options.onTrainingError(id, error);
    return device.trainingFailed(now);
  }

  /** @param answered when its answer would have come */
  function lose(id: DeviceId, { stage, silent, after, declines }: Loss, answered: number): void {
    gone.add(id);
    options.device(id).disconnected();
    // Which of the silent is found out when depends on turns that are not played.
    if (silent && stage === "mask" && pace !== undefined) {
      timeOut(id);
      return;
    }
    const at = after === undefined ? answered : Math.max(now, startsAt + after);
    if (declines !== undefined) arrivals.add(at, { kind: "frame", from: id, frame: options.decline(declines) });
    else if (!silent) arrivals.add(at, { kind: "closed", from: id });
  }

  /** Its upload, which was asked for now, does not come in time. */
  function timeOut(id: DeviceId): void {
    gone.add(id);
    options.device(id).disconnected();
    arrivals.add(now + options.uploadDeadline, { kind: "closed", from: id, reason: "deadline" });
  }

  function arrive(arrival: Arrival): void {
    if (arrival.kind === "closed") takeRound(round.disconnected(now, arrival.from, arrival.reason));
    else takeRound(round.receive(now, arrival.from, arrival.frame));
  }

  function passTime(deadline: number): void {
    now = Math.max(now, deadline);
    takeRound(round.tick(now));
    for (const id of spokenTo) if (!gone.has(id)) takeDevice(id, options.device(id).tick(now));
  }

  /** Goes on to what happens next, if that is before the deadline; an arrival before a training of the same time. */
  async function goOn(): Promise<boolean> {
    const arrival = arrivals.next();
    // Without a pace, configuring takes no time beside training: who has not accepted by now will not.
    const training = pace === undefined && round.stage === "configure" ? undefined : trainings.next();
    const at = Math.min(arrival?.at ?? Number.POSITIVE_INFINITY, training?.at ?? Number.POSITIVE_INFINITY);
    if (at > (round.deadline ?? Number.POSITIVE_INFINITY)) return false;
    now = Math.max(now, at);
    if (arrival !== undefined && arrival.at === at) {
      arrivals.take();
      arrive(arrival.item);
      return true;
    }
    if (training === undefined) return false;
    trainings.take();
    await finishTraining(training.item);
    return true;
  }

  takeRound(round.start(now));
  while (round.stage !== "done" && round.stage !== "abandoned") {
    if (options.stopped()) {
      takeRound(round.stop(now, "stopped"));
      break;
    }
    const arrival = arrivals.next();
    // What has arrived is read before anything more is sent: uploads do not pile up.
    if (arrival !== undefined && arrival.at <= now) {
      arrivals.take();
      arrive(arrival.item);
      continue;
    }
    const down = toDevices.shift();
    if (down !== undefined) deliverToDevice(down.to, down.frame);
    else if (!ordered) {
      ordered = true;
      options.onOrders(trainings.pending().map(({ item }) => item));
    } else if (!(await goOn())) {
      if (round.deadline === undefined) throw new Error(`the round waits in ${round.stage} without a deadline`);
      passTime(round.deadline);
    }
  }
  // The last words (DONE, or why it was abandoned) reach who is still there.
  for (const { to, frame } of toDevices) if (!gone.has(to)) options.device(to).receive(now, frame);
  return { bytesUp, bytesDown, elapsed: now - startsAt };
}

type Settled<T> = { readonly result: T } | { readonly error: unknown };

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
}
