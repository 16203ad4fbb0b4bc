import type { ConnectionLoss, Outgoing, Round, RoundEffects } from "../../server/round.ts";
import type { OpenRound } from "../../server/task.ts";
import { CHUNK_BYTES } from "../../shared/protocol/chunks.ts";
import { decodeFrame, FRAME_TYPES, HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { CERTIFICATE_BYTES } from "../../shared/secagg/certificates.ts";
import { BOX_BYTES } from "../../shared/secagg/messages/exchanges.ts";
import { packedLength } from "../../shared/secagg/ring-accumulator.ts";
import type { Setting } from "./setting.ts";
import { must, mustNotThrow, type Reaction, TAKEN, type Target, UNREAD } from "./target.ts";

/** A round of the coordinator under attack: each call is checked for what must hold whatever is sent. */
export interface WatchedRound extends Target {
  readonly opened: OpenRound;
  readonly stage: Round["stage"];
  readonly isOver: boolean;
  /** "done", or why it was abandoned. */
  readonly ending: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Bodies of the upload frames that were taken, by device. */
  readonly uploads: ReadonlyMap<DeviceId, readonly Uint8Array[]>;
  take(from: DeviceId, frames: readonly Uint8Array[]): readonly Reaction[];
  isOut(device: DeviceId): boolean;
  /** What has to be sent, handed out once. */
  outgoing(): Outgoing[];
  disconnected(device: DeviceId, reason?: ConnectionLoss): void;
  stop(): void;
  /** The next deadline passes. Every round ends of it, sooner or later. */
  passTime(): void;
}

const STAGES: readonly Round["stage"][] = ["configure", "train", "keys", "shares", "mask", "confirm", "unmask"];

export function watchRound(setting: Setting): WatchedRound {
  const opened = mustNotThrow("openRound", () => setting.open());
  const { round } = opened;
  const invited = new Set(setting.devices);
  const out = new Set<DeviceId>();
  const uploads = new Map<DeviceId, Uint8Array[]>();
  const held = new Map<DeviceId, number>();
  const most = mostHeld(opened.configuration.agreement, setting.devices.length);
  let sent: Outgoing[] = [];
  let now = setting.startsAt;
  let reached = 0;
  let deadlines = 0;

  function isOver(): boolean {
    return round.stage === "done" || round.stage === "abandoned";
  }

  function check(call: string, effects: RoundEffects): void {
    const lostNow = new Set<DeviceId>();
    for (const fact of effects.facts) {
      if (fact.kind !== "lost") continue;
      must(!out.has(fact.device), `${call}: ${fact.device} is lost a second time`);
      must(invited.has(fact.device), `${call}: ${fact.device} is lost, and was never invited`);
      out.add(fact.device);
      lostNow.add(fact.device);
      held.delete(fact.device);
    }
    for (const { to, frame } of effects.send) {
      const { type } = mustNotThrow(`${call}, the frame to ${to}`, () => decodeFrame(frame)).header;
      must(invited.has(to), `${call}: a frame for ${to}, who was never invited`);
      must(
        !out.has(to) || (lostNow.has(to) && type === FRAME_TYPES.released),
        `${call}: a frame of type ${type} for ${to}, who is out`,
      );
    }
    for (const device of effects.uploads) must(!out.has(device), `${call}: it is the turn of ${device}, who is out`);
    sent.push(...effects.send);

    const at = isOver() ? STAGES.length : STAGES.indexOf(round.stage);
    must(at >= reached, `${call}: from ${STAGES[reached]} back to ${round.stage}`);
    reached = at;
    must((round.deadline === undefined) === isOver(), `${call}: ${round.stage} with the deadline ${round.deadline}`);
    must((round.result !== undefined) === (round.stage === "done"), `${call}: a sum in ${round.stage}`);
    must((round.abandoned !== undefined) === (round.stage === "abandoned"), `${call}: abandoned in ${round.stage}`);
  }

  function call(name: string, step: () => RoundEffects): void {
    check(name, mustNotThrow(`Round.${name}`, step));
  }

  function takeOne(from: DeviceId, frame: Uint8Array): Reaction {
    const heard = invited.has(from) && !out.has(from) && !isOver();
    const { stage } = round;
    let reason: string | undefined;
    const effects = mustNotThrow("Round.receive", () => round.receive(now, from, frame));
    for (const fact of effects.facts) if (fact.kind === "lost" && fact.device === from) reason = fact.reason;
    const answered = effects.facts.some((fact) => fact.kind === "answered" && fact.device === from);
    must(!(answered && reason !== undefined), `${from} is lost for its answer`);
    check("receive", effects);
    if (!heard) {
      must(effects.send.length === 0 && effects.facts.length === 0, "a frame that nobody looks at has an effect");
      return UNREAD;
    }
    if (reason !== undefined) return { kind: "refused", reason };
    const bytes = (held.get(from) ?? 0) + frame.length;
    must(bytes <= most, `${bytes} bytes are held of ${from}, and ${most} are the most that it may send`);
    held.set(from, bytes);
    if (stage === "mask") {
      // A copy: the receiver may do with its bytes what it likes.
      const chunks = uploads.get(from) ?? [];
      chunks.push(frame.slice(HEADER_BYTES));
      uploads.set(from, chunks);
    }
    return TAKEN;
  }

  call("start", () => round.start(now));
  return {
    opened,
    uploads,
    get stage() {
      return round.stage;
    },
    get isOver() {
      return isOver();
    },
    get ending() {
      return round.abandoned?.reason ?? round.stage;
    },
    get now() {
      return now;
    },
    take: (from, frames) => frames.map((frame) => takeOne(from, frame)),
    isOut: (device) => out.has(device),
    outgoing() {
      const frames = sent;
      sent = [];
      return frames;
    },
    disconnected: (device, reason) => call("disconnected", () => round.disconnected(now, device, reason)),
    stop: () => call("stop", () => round.stop(now, "stopped")),
    passTime() {
      const { deadline } = round;
      if (deadline === undefined) return;
      // Seven stages, and a turn for each upload.
      must(++deadlines <= STAGES.length + setting.devices.length, `the round hangs in ${round.stage}`);
      const early = mustNotThrow("Round.tick", () => round.tick(deadline - 1));
      must(early.facts.length === 0 && early.send.length === 0, "a stage ends before its deadline");
      now = Math.max(now, deadline);
      call("tick", () => round.tick(now));
    },
  };
}

/** The bytes of all that one device may send in a round, but for what ends it. */
function mostHeld({ mode, dimension, bits }: SecAggAgreement, devices: number): number {
  const upload = packedLength(dimension, bits);
  const uploadFrames = Math.ceil(upload / CHUNK_BYTES);
  // ACCEPT and TRAINED are headers only.
  if (mode === "plaintext") return upload + (2 + uploadFrames) * HEADER_BYTES;
  const degree = devices - 1;
  const entry = 32 + 4 + CERTIFICATE_BYTES + 32 + 32 + 64;
  const bodies = entry + (degree * BOX_BYTES + 96) + upload + 64 + 33 * degree;
  return bodies + (2 + 4 + uploadFrames) * HEADER_BYTES;
}
