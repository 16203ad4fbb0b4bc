import type { ConnectionLoss } from "../../server/round.ts";
import { equalBytes } from "../../shared/crypto/bytes.ts";
import { FRAME_TYPES, frameType, HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { BOX_BYTES } from "../../shared/secagg/messages/exchanges.ts";
import type { Mutant } from "./mutations.ts";
import type { Setting } from "./setting.ts";
import { checkEnding } from "./sum-oracle.ts";
import type { FrameReader, Tally } from "./tally.ts";
import type { Reaction } from "./target.ts";
import { type WatchedDevice, watchDevice } from "./watched-device.ts";
import { type WatchedRound, watchRound } from "./watched-round.ts";

/** What happens to frames on their way, and beside them. Without any of it the round is an honest one. */
export interface Carriage {
  /** What reaches the coordinator in place of a device's frame. */
  up?(from: DeviceId, frame: Uint8Array): Mutant | undefined;
  /** What reaches a device in place of the coordinator's frame. */
  down?(to: DeviceId, frame: Uint8Array): Mutant | undefined;
  /** Whose frame, of those that wait, arrives next; the first one's by default. */
  next?(waiting: number): number;
  /** Before each delivery. */
  between?(session: PlayedSession): void;
  failsTraining?(device: DeviceId): boolean;
  delivered?(direction: "up" | "down", device: DeviceId, frame: Uint8Array, stage: WatchedRound["stage"]): void;
}

export interface PlayedSession {
  readonly coordinator: WatchedRound;
  readonly devices: ReadonlyMap<DeviceId, WatchedDevice>;
  /** Closes the connection of a device, on both sides. */
  disconnect(device: DeviceId, reason?: ConnectionLoss): void;
}

/**
 * Plays a whole round in memory, of a real coordinator and real devices, to its end: time passes when nothing is left to
 * deliver. Then everything that must hold is checked.
 */
export function playSession(setting: Setting, tally: Tally, carriage: Carriage = {}): PlayedSession {
  const coordinator = watchRound(setting);
  const devices = new Map(setting.devices.map((id) => [id, watchDevice(setting, id)]));
  const waiting: { readonly direction: "up" | "down"; readonly device: DeviceId; readonly frame: Uint8Array }[] = [];
  const gone = new Set<DeviceId>();
  /** What each device should have been told of who shared. */
  const sharers = new Map<DeviceId, Uint8Array>();
  let masksDiffer = false;

  function device(id: DeviceId): WatchedDevice {
    const found = devices.get(id);
    if (found === undefined) throw new Error(`there is no device ${id} in this session`);
    return found;
  }

  function collect(): void {
    for (const { to, frame } of coordinator.outgoing()) {
      if (frameType(frame) === FRAME_TYPES.sharesForward) sharers.set(to, sharersOf(frame));
      if (!gone.has(to)) waiting.push({ direction: "down", device: to, frame });
    }
    for (const [id, machine] of devices) {
      for (const frame of machine.outgoing()) if (!gone.has(id)) waiting.push({ direction: "up", device: id, frame });
    }
  }

  /** Delivers what takes the place of a frame, and counts what was changed. */
  function deliver(
    reader: FrameReader,
    original: Uint8Array,
    mutant: Mutant | undefined,
    take: (frame: Uint8Array) => Reaction,
  ): void {
    if (mutant === undefined) {
      tally.about = { reader, how: "as it is", frame: original };
      take(original);
      return;
    }
    for (const [i, frame] of mutant.frames.entries()) {
      tally.about = { reader, how: mutant.how, frame };
      // The receiver owns its bytes.
      const reaction = take(frame.slice());
      if (frame !== original || i > 0) tally.count(reader, mutant.how, reaction);
    }
  }

  function deliverNext(): void {
    const drawn = waiting[carriage.next?.(waiting.length) ?? 0];
    // A connection keeps its frames in order.
    const first = waiting.findIndex(
      ({ device, direction }) => device === drawn.device && direction === drawn.direction,
    );
    const [{ direction, device: id, frame }] = waiting.splice(first, 1);
    carriage.delivered?.(direction, id, frame, coordinator.stage);
    if (direction === "up") {
      deliver("coordinator", frame, carriage.up?.(id, frame), (bytes) => coordinator.take(id, [bytes])[0]);
      return;
    }
    const machine = device(id);
    deliver("device", frame, carriage.down?.(id, frame), (bytes) => {
      const reaction = machine.take(bytes);
      if (reaction.kind === "taken" && frameType(bytes) === FRAME_TYPES.sharesForward) {
        masksDiffer ||= !equalBytes(sharersOf(bytes), sharers.get(id) ?? new Uint8Array(0));
      }
      return reaction;
    });
  }

  function disconnect(id: DeviceId, reason?: ConnectionLoss): void {
    gone.add(id);
    device(id).disconnected();
    coordinator.disconnected(id, reason);
  }

  const session: PlayedSession = { coordinator, devices, disconnect };
  while (!coordinator.isOver) {
    carriage.between?.(session);
    collect();
    if (waiting.length > 0) {
      deliverNext();
      continue;
    }
    for (const machine of devices.values()) machine.train(carriage.failsTraining?.(machine.id));
    collect();
    if (waiting.length > 0) continue;
    coordinator.passTime();
    for (const machine of devices.values()) machine.tick(coordinator.now);
  }
  collect();
  while (waiting.length > 0) deliverNext();
  for (const machine of devices.values()) machine.passTime();
  checkEnding(setting, coordinator, {
    input: (id) => devices.get(id)?.input,
    upload: (id) => devices.get(id)?.upload,
    masksDiffer,
  });
  return session;
}

/** The bitmap of a SHARES_FWD: what its boxes leave. */
function sharersOf(frame: Uint8Array): Uint8Array {
  const body = frame.subarray(HEADER_BYTES);
  return body.subarray(0, body.length % BOX_BYTES);
}
