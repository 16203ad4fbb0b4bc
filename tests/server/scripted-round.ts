import {
  type ConnectionLoss,
  createRound,
  type Round,
  type RoundEffects,
  type RoundFact,
  type RoundPlan,
} from "../../server/round.ts";
import type { Dropped, SecAggEffects, ServerSecAgg } from "../../server/secagg/session.ts";
import type { ExchangeStage } from "../../server/secagg/stage.ts";
import {
  decodeReleased,
  encodeAccept,
  encodeDecline,
  encodeTrained,
  type RoundBinding,
} from "../../shared/protocol/control-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, type FrameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { AbortCode } from "../../shared/protocol/reasons.ts";

/** A round whose devices a test plays by hand, with exchanges in which any frame is an answer. */
export interface ScriptedRound {
  readonly round: Round;
  readonly plan: RoundPlan;
  readonly devices: readonly DeviceId[];
  /** Facts since the start. */
  readonly facts: RoundFact[];
  /** What each device was sent, by type. */
  readonly sent: Map<DeviceId, FrameType[]>;
  /** Whose upload was to be read, in the order of the turns. */
  readonly uploads: DeviceId[];
  /** The reason that a device was released with. */
  readonly released: Map<DeviceId, string>;
  /** The devices that began the exchanges, once they have begun. */
  readonly exchanging: { readonly invited: readonly DeviceId[] } | undefined;
  start(): void;
  accept(...devices: readonly DeviceId[]): void;
  train(...devices: readonly DeviceId[]): void;
  exchange(...devices: readonly DeviceId[]): void;
  decline(device: DeviceId, code: AbortCode): void;
  send(device: DeviceId, frame: Uint8Array): void;
  disconnect(device: DeviceId, loss?: ConnectionLoss): void;
  tick(now: number): void;
  stop(): void;
}

export const DEADLINES = { configure: 10, train: 100, exchange: 5 } as const;
export const BINDING: RoundBinding = { roundId: new Uint8Array(16).fill(1), context: new Uint8Array(32).fill(2) };
export const CONFIGURATION = encodeFrame(header(FRAME_TYPES.configure), Uint8Array.of(7));
const ANSWER = encodeFrame(header(FRAME_TYPES.advertise), new Uint8Array(0));

export interface ScriptedRoundOptions extends Partial<Pick<RoundPlan, "goal" | "quorum" | "closeAt">> {
  readonly size?: number;
  readonly threshold?: number;
}

export function scriptedRound(options: ScriptedRoundOptions = {}): ScriptedRound {
  const { size = 5, quorum = 3, goal = 4, closeAt = "all", threshold = quorum } = options;
  const devices = Array.from({ length: size }, (_, i) => `d-${i}` as DeviceId);
  const facts: RoundFact[] = [];
  const sent = new Map<DeviceId, FrameType[]>();
  const released = new Map<DeviceId, string>();
  const uploads: DeviceId[] = [];
  let exchanging: ScriptedRound["exchanging"];
  const plan: RoundPlan = {
    ...BINDING,
    invited: devices,
    goal,
    quorum,
    closeAt,
    deadlines: DEADLINES,
    configuration: [CONFIGURATION],
    createSecAgg(trained) {
      exchanging = { invited: trained };
      return openExchanges(trained, threshold);
    },
  };
  const round = createRound(plan);
  let now = 0;

  function take(effects: RoundEffects): void {
    facts.push(...effects.facts);
    uploads.push(...effects.uploads);
    for (const { to, frame } of effects.send) {
      const { header: sentHeader, body } = decodeFrame(frame);
      sent.set(to, [...(sent.get(to) ?? []), sentHeader.type]);
      if (sentHeader.type === FRAME_TYPES.released) released.set(to, decodeReleased(body));
    }
  }

  function send(device: DeviceId, frame: Uint8Array): void {
    take(round.receive(now, device, frame));
  }

  return {
    round,
    plan,
    devices,
    facts,
    sent,
    uploads,
    released,
    get exchanging() {
      return exchanging;
    },
    start: () => take(round.start(now)),
    accept: (...from) => {
      for (const device of from) send(device, encodeAccept(BINDING));
    },
    train: (...from) => {
      for (const device of from) send(device, encodeTrained(BINDING));
    },
    exchange: (...from) => {
      for (const device of from) send(device, ANSWER);
    },
    decline: (device, code) => send(device, encodeDecline(BINDING, code)),
    send,
    disconnect: (device, loss) => take(round.disconnected(now, device, loss)),
    tick(at) {
      now = at;
      take(round.tick(at));
    },
    stop: () => take(round.stop(now, "stopped")),
  };
}

/** The frame type's header, of this round. */
export function header(type: FrameType, binding: RoundBinding = BINDING) {
  return { type, flags: 0, roundId: binding.roundId, binding: binding.context, sender: NO_INDEX, sequence: 0 };
}

/** The losses that a round told of, as `device: reason at stage`. */
export function losses({ facts }: ScriptedRound): string[] {
  return facts.flatMap((fact) => (fact.kind === "lost" ? [`${fact.device}: ${fact.reason} at ${fact.stage}`] : []));
}

const EXCHANGES: readonly ExchangeStage[] = ["keys", "shares", "mask", "confirm", "unmask"];

/** Five stages without cryptography: whoever has answered all of them is in the sum. */
function openExchanges(trained: readonly DeviceId[], threshold: number): ServerSecAgg {
  let present = new Set(trained);
  let waitingFor = new Set(trained);
  let at = 0;
  let abandoned: ServerSecAgg["abandoned"];

  function leave(device: DeviceId, dropped: Dropped): SecAggEffects {
    if (!present.delete(device)) return { send: [], dropped: [] };
    waitingFor.delete(device);
    return { send: [], dropped: [dropped] };
  }

  return {
    get stage() {
      return abandoned === undefined ? (EXCHANGES[at] ?? "done") : "abandoned";
    },
    get waitingFor() {
      return waitingFor;
    },
    receive(device) {
      waitingFor.delete(device);
      return { send: [], dropped: [] };
    },
    leave: (device, reason) => leave(device, { device, reason }),
    closeStage() {
      const dropped: Dropped[] = [...waitingFor].map((device) => ({ device, reason: "deadline" }));
      for (const entry of dropped) leave(entry.device, entry);
      at++;
      if (present.size < threshold) {
        abandoned = { reason: "too-few-shares", have: present.size, need: threshold, detail: "too few" };
        present = new Set();
      }
      waitingFor = at < EXCHANGES.length ? new Set(present) : new Set();
      return { send: [], dropped };
    },
    get abandoned() {
      return abandoned;
    },
    get result() {
      if (abandoned !== undefined || at < EXCHANGES.length) return undefined;
      return { sum: Int32Array.of(present.size), survivors: [...present], resultHash: new Uint8Array(32) };
    },
    parameters: undefined,
    suspects: [],
  };
}
