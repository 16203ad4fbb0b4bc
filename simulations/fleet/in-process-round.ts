import type { Device, DeviceEffects, TrainingRequest } from "../../client/device.ts";
import type { TrainingResult } from "../../client/training/trainer.ts";
import type { Round, RoundEffects, RoundFact } from "../../server/round.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { stageAnswered, type Vanishing } from "./dropout-plan.ts";

/** The transport of a round in one process: a queue of encoded frames and a virtual clock. */
export interface InProcessRoundOptions {
  readonly round: Round;
  /** The model's bytes, for devices that fetch them. */
  readonly model: Uint8Array;
  /** The device behind a name, made when it is first spoken to. */
  device(id: DeviceId): Device;
  train(id: DeviceId, request: TrainingRequest): Promise<TrainingResult>;
  /** Told before the device gives up its round; an error of the program itself should be thrown on. */
  onTrainingError(id: DeviceId, error: unknown): void;
  vanishing(id: DeviceId): Vanishing | undefined;
  /** Called with what happened, in order, as it happens. */
  onFacts(facts: readonly RoundFact[]): void;
  /** Lets the process's other events in (signals, drawing); called between trainings. */
  breathe(): Promise<void>;
  /** Abandons the round when it says true. */
  stopped(): boolean;
  /** The virtual clock's start, milliseconds since the epoch: a multiple of the round, never the host's time. */
  readonly startsAt: number;
}

/** Training waits until every message is delivered, as it takes far longer than any of them. */
interface TrainingJob {
  readonly id: DeviceId;
  readonly request: TrainingRequest;
}

export interface InProcessTraffic {
  /** Application bytes, all frames, over all devices. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/**
 * Runs one round to its end. Every frame is encoded and decoded as it would be on a socket; only the wire is missing.
 * Virtual time moves when, and only when, nothing is left to deliver: then the next deadline passes. So a silent device
 * costs no real time, and no result depends on how fast the host is.
 */
export async function runInProcess(options: InProcessRoundOptions): Promise<InProcessTraffic> {
  const { round } = options;
  const gone = new Set<DeviceId>();
  const spokenTo = new Set<DeviceId>();
  const toDevices: { to: DeviceId; frame: Uint8Array }[] = [];
  const toCoordinator: ({ from: DeviceId; frame: Uint8Array } | { from: DeviceId; closed: true })[] = [];
  const toTrain: TrainingJob[] = [];
  let now = options.startsAt;
  let bytesUp = 0;
  let bytesDown = 0;

  function takeRound(effects: RoundEffects): void {
    for (const outgoing of effects.send) {
      bytesDown += outgoing.frame.length;
      toDevices.push(outgoing);
    }
    if (effects.facts.length > 0) options.onFacts(effects.facts);
  }

  function takeDevice(id: DeviceId, effects: DeviceEffects): void {
    for (const frame of effects.send) {
      if (gone.has(id)) return;
      const vanishing = options.vanishing(id);
      if (vanishing !== undefined && vanishing.stage === stageAnswered(frame)) {
        vanish(id, vanishing);
        return;
      }
      bytesUp += frame.length;
      toCoordinator.push({ from: id, frame });
    }
  }

  function deliverToDevice(id: DeviceId, frame: Uint8Array): void {
    if (gone.has(id)) return;
    const device = options.device(id);
    spokenTo.add(id);
    let effects = device.receive(now, frame);
    if (effects.fetch !== undefined) {
      bytesDown += options.model.length;
      // Each device has a copy of its own, as it would from a download.
      effects = device.fetched(now, options.model.slice());
    }
    takeDevice(id, effects);
    if (effects.train === undefined || gone.has(id)) return;
    // A device that vanishes while it trains has nothing to train for.
    const vanishing = options.vanishing(id);
    if (vanishing?.stage === "train") {
      vanish(id, vanishing);
      return;
    }
    toTrain.push({ id, request: effects.train });
  }

  async function trainNext({ id, request }: TrainingJob): Promise<void> {
    await options.breathe();
    // A device that the round went on without has given its round up already.
    if (gone.has(id) || options.stopped() || options.device(id).phase !== "training") return;
    takeDevice(id, await train(id, options.device(id), request));
  }

  async function train(id: DeviceId, device: Device, request: TrainingRequest): Promise<DeviceEffects> {
    try {
      return device.trained(now, await options.train(id, request));
    } catch (error) {
      options.onTrainingError(id, error);
      return device.trainingFailed(now);
    }
  }

  function vanish(id: DeviceId, { silent }: Vanishing): void {
    gone.add(id);
    options.device(id).disconnected();
    if (!silent) toCoordinator.push({ from: id, closed: true });
  }

  /** Everything that has left is read at once: what waits in one process waits in memory either way. */
  function passTime(deadline: number): void {
    now = Math.max(now, deadline);
    takeRound(round.tick(now));
    for (const id of spokenTo) if (!gone.has(id)) takeDevice(id, options.device(id).tick(now));
  }

  takeRound(round.start(now));
  while (round.stage !== "done" && round.stage !== "abandoned") {
    if (options.stopped()) {
      takeRound(round.stop(now, "stopped"));
      break;
    }
    const up = toCoordinator.shift();
    if (up !== undefined) {
      takeRound("closed" in up ? round.disconnected(now, up.from) : round.receive(now, up.from, up.frame));
      continue;
    }
    const down = toDevices.shift();
    if (down !== undefined) {
      deliverToDevice(down.to, down.frame);
      continue;
    }
    // Configuring takes no time beside training: who has not accepted by now will not.
    const job = round.stage === "configure" ? undefined : toTrain.shift();
    if (job !== undefined) {
      await trainNext(job);
      continue;
    }
    if (round.deadline === undefined) throw new Error(`the round waits in ${round.stage} without a deadline`);
    passTime(round.deadline);
  }
  // The last words (DONE, or why it was abandoned) reach who is still there.
  for (const { to, frame } of toDevices) if (!gone.has(to)) options.device(to).receive(now, frame);
  return { bytesUp, bytesDown };
}
