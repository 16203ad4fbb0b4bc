import type { Device, DeviceEffects, TrainingRequest } from "../../client/device.ts";
import { toHex } from "../../shared/crypto/bytes.ts";
import { decodeConfiguration } from "../../shared/protocol/control-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError, type FrameType } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { Setting } from "./setting.ts";
import { IGNORED, must, mustNotThrow, type Reaction, TAKEN, UNREAD } from "./target.ts";

/** A device under attack: each call is checked for what must hold whatever it is sent. */
export interface WatchedDevice {
  readonly id: DeviceId;
  readonly phase: Device["phase"];
  /** The last input that it encoded. */
  readonly input: Int32Array | undefined;
  /** The bodies of the upload that left it last. */
  readonly upload: readonly Uint8Array[];
  take(frame: Uint8Array): Reaction;
  /** What it sends, handed out once. */
  outgoing(): Uint8Array[];
  /** Finishes the training that it was asked for, if it was; without an update when it fails. */
  train(fails?: boolean): void;
  disconnected(): void;
  /** Time passes until it has given up whatever it waits for. */
  passTime(): void;
  /** Its own deadline, if that has come. */
  tick(now: number): void;
}

export interface WatchedDeviceOptions {
  /** What a download of the model gives; the right bytes by default. */
  fetched?(model: Uint8Array): Uint8Array | undefined;
}

/** What a device sends. */
const ANSWERS: ReadonlySet<FrameType> = new Set([
  ...[FRAME_TYPES.accept, FRAME_TYPES.trained, FRAME_TYPES.decline, FRAME_TYPES.abort, FRAME_TYPES.advertise],
  ...[FRAME_TYPES.shares, FRAME_TYPES.masked, FRAME_TYPES.ack, FRAME_TYPES.unmask, FRAME_TYPES.plainUpdate],
]);
/** Of which there is one in a round, whatever the device is asked: two would open its update, or another's. */
const ONCE: ReadonlySet<FrameType> = new Set([
  FRAME_TYPES.masked,
  FRAME_TYPES.plainUpdate,
  FRAME_TYPES.ack,
  FRAME_TYPES.unmask,
]);
/** CONFIGURE, MODEL, BEGIN, ROSTER, SHARES_FWD, SURVIVORS, ACKS, DONE. */
const MOST_REQUESTS = 8;

export function watchDevice(setting: Setting, id: DeviceId, options: WatchedDeviceOptions = {}): WatchedDevice {
  let input: Int32Array | undefined;
  const device = setting.device(id, (_roundId, encoded) => {
    // The device goes on to mask it in place.
    input = encoded.slice();
  });
  const said = new Map<string, string>();
  /** The task of the round that it is in. */
  let task = "";
  let upload: Uint8Array[] = [];
  let requests = new Set<string>();
  let sent: Uint8Array[] = [];
  let toTrain: TrainingRequest | undefined;
  let now = setting.startsAt;

  function check(call: string, before: Device["phase"], effects: DeviceEffects): void {
    const { phase } = device;
    must((phase === "idle") === (device.deadline === undefined), `${call}: ${phase}, deadline ${device.deadline}`);
    must(effects.outcome === undefined || phase === "idle", `${call}: the round is over, and the device ${phase}`);
    must(before === "idle" || phase !== "idle" || effects.outcome !== undefined, `${call}: a round ends untold`);
    if (phase === "idle") {
      requests = new Set();
      toTrain = undefined;
    }
    for (const frame of effects.send) {
      const { header, body } = mustNotThrow(`${call}, the frame it sends`, () => decodeFrame(frame));
      const { type, roundId, sequence } = header;
      must(ANSWERS.has(type), `${call}: a device sends a frame of type ${type}`);
      if (!ONCE.has(type)) continue;
      const name = `${task} ${toHex(roundId)} ${type} ${sequence}`;
      const digest = toHex(setting.provider.sha256(frame));
      must((said.get(name) ?? digest) === digest, `${call}: another frame of type ${type} in the same round`);
      if (!said.has(name) && (type === FRAME_TYPES.masked || type === FRAME_TYPES.plainUpdate)) {
        if (sequence === 0) upload = [];
        upload.push(body);
      }
      said.set(name, digest);
    }
    sent.push(...effects.send);
    if (effects.train !== undefined) toTrain = effects.train;
  }

  function call(name: string, step: () => DeviceEffects): DeviceEffects {
    const before = device.phase;
    const effects = mustNotThrow(`Device.${name} while ${before}`, step);
    check(name, before, effects);
    if (effects.fetch === undefined) return effects;
    const model = setting.open().model.slice();
    const bytes = options.fetched === undefined ? model : options.fetched(model);
    return bytes === undefined
      ? call("fetchFailed", () => device.fetchFailed(now))
      : call("fetched", () => device.fetched(now, bytes));
  }

  return {
    id,
    get upload() {
      return upload;
    },
    get phase() {
      return device.phase;
    },
    get input() {
      return input;
    },
    take(frame) {
      const before = device.phase;
      const { outcome, send, fetch } = call("receive", () => device.receive(now, frame));
      if (outcome !== undefined && (outcome.kind === "declined" || outcome.kind === "aborted")) {
        return { kind: "refused", reason: outcome.code };
      }
      if (outcome === undefined && send.length === 0 && fetch === undefined && device.phase === before) {
        return unanswered(before, frame);
      }
      if (before === "idle") task = toHex(decodeConfiguration(decodeFrame(frame).body).agreement.taskId);
      if (device.phase !== "idle") {
        requests.add(toHex(setting.provider.sha256(frame)));
        must(requests.size <= MOST_REQUESTS, `${requests.size} requests of one round were taken`);
      }
      return TAKEN;
    },
    outgoing() {
      const frames = sent;
      sent = [];
      return frames;
    },
    train(fails = false) {
      const request = toTrain;
      toTrain = undefined;
      if (request === undefined) return;
      if (fails) call("trainingFailed", () => device.trainingFailed(now));
      else call("trained", () => device.trained(now, setting.train(id, request)));
    },
    disconnected: () => void call("disconnected", () => device.disconnected()),
    passTime() {
      const { deadline } = device;
      if (deadline === undefined) return;
      now = Math.max(now, deadline);
      call("tick", () => device.tick(now));
      must(device.phase === "idle", `the device is still ${device.phase} when its deadline has passed`);
    },
    tick(at) {
      now = Math.max(now, at);
      call("tick", () => device.tick(now));
    },
  };
}

/** A frame that the device said nothing about: not of its round, or it has none. */
function unanswered(phase: Device["phase"], frame: Uint8Array): Reaction {
  try {
    decodeFrame(frame);
    return phase === "idle" ? UNREAD : IGNORED;
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    must(phase === "idle", `a frame that is none passes unnoticed while ${phase}`);
    return { kind: "refused", reason: "FrameError" };
  }
}
