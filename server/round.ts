import { equalBytes } from "../shared/crypto/bytes.ts";
import { decodeAbortCode, encodeBegin, encodeReleased } from "../shared/protocol/control-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError } from "../shared/protocol/frame.ts";
import type { DeviceId } from "../shared/protocol/ids.ts";
import { type AbandonReason, type AbortCode, type DropReason, STAGES, type Stage } from "../shared/protocol/reasons.ts";
import type { SecAggEffects, ServerSecAgg } from "./secagg/session.ts";
import { createUploadGate, type UploadGate } from "./upload-gate.ts";

/**
 * One round of the coordinator, without I/O: a message, a lost connection or the time goes in; messages, facts and the
 * next deadline come out.
 *
 * ```
 *  invited ─configure─► ready ─train─► trained ─keys─shares─mask─confirm─unmask─► sum
 *     └────────────────── dropped, each with a reason ──────────────────┘        or abandoned, nothing opened
 * ```
 *
 * Every stage waits for the devices it expects. It ends when each has answered or is gone, at its deadline, or, only
 * with `closeAt: goal`, when the goal has trained (`architecture.md`, "A round"). Devices train first; the exchanges of
 * secure aggregation then run back to back.
 */
export interface Round {
  readonly stage: Stage | "done" | "abandoned";
  /** When `tick` is due, in the caller's milliseconds; undefined once the round is over. */
  readonly deadline: number | undefined;
  start(now: number): RoundEffects;
  receive(now: number, device: DeviceId, frame: Uint8Array): RoundEffects;
  /** The device's connection is gone: it left, or it was closed for what it sent. */
  disconnected(now: number, device: DeviceId, reason?: ConnectionLoss): RoundEffects;
  /** Ends the stage if its deadline has passed. */
  tick(now: number): RoundEffects;
  /** Abandons the round at once. */
  stop(now: number, reason: Extract<AbandonReason, "stopped">): RoundEffects;
  readonly result: RoundResult | undefined;
  readonly abandoned: RoundAbandoned | undefined;
}

/** What a connection can end of, as far as a round is concerned. */
export type ConnectionLoss = Extract<DropReason, "disconnected" | "malformed" | "oversize" | "deadline">;

export interface RoundPlan {
  /** 16 bytes, strictly increasing within the task. */
  readonly roundId: Uint8Array;
  /** SHA-256 of the agreement: binds every control frame to it. */
  readonly context: Uint8Array;
  readonly invited: readonly DeviceId[];
  /** Updates wanted; more are invited because some will be lost. */
  readonly goal: number;
  /** The least number of devices with which a stage before the exchanges may end. */
  readonly quorum: number;
  readonly closeAt: "all" | "goal";
  /** Milliseconds that a stage may take. `exchange` is for each of the five. */
  readonly deadlines: { readonly configure: number; readonly train: number; readonly exchange: number };
  /** CONFIGURE and the model, the same bytes for every device. */
  readonly configuration: readonly Uint8Array[];
  /**
   * Called before the devices are sent what they make their masks from: from then on the sum may be opened. What it
   * throws ends the round with nothing sent.
   */
  beforeMasks?(): void;
  /** Begins secure aggregation among the devices that trained. */
  createSecAgg(trained: readonly DeviceId[]): ServerSecAgg;
}

export interface RoundEffects {
  readonly send: readonly Outgoing[];
  readonly facts: readonly RoundFact[];
  /** Whose upload is to be read from now on; those of the other devices have to wait while the stage is `mask`. */
  readonly uploads: readonly DeviceId[];
}

export interface Outgoing {
  readonly to: DeviceId;
  readonly frame: Uint8Array;
}

/** What happened, for the record, the log and the pages. Names devices, never what they sent. */
export type RoundFact =
  | { readonly kind: "stage"; readonly stage: Stage; readonly expected: number }
  | { readonly kind: "answered"; readonly stage: Stage; readonly device: DeviceId }
  | {
      readonly kind: "lost";
      readonly device: DeviceId;
      readonly stage: Stage;
      readonly reason: DropReason;
      readonly detail?: string;
    };

export interface RoundResult {
  /** The sum over the survivors, signed ring values. */
  readonly sum: Int32Array;
  readonly survivors: readonly DeviceId[];
}

export interface RoundAbandoned {
  readonly stage: Stage;
  readonly reason: AbandonReason;
  readonly have: number;
  readonly need: number;
  readonly detail: string;
}

type State =
  | { readonly kind: "waiting" }
  | {
      readonly kind: "gathering";
      readonly stage: "configure" | "train";
      readonly expected: Set<DeviceId>;
      readonly answered: Set<DeviceId>;
      /** Devices that have trained while others were still being configured. */
      readonly early: Set<DeviceId>;
    }
  | { readonly kind: "exchanging"; readonly session: ServerSecAgg; gate: UploadGate | undefined }
  | { readonly kind: "done"; readonly result: RoundResult }
  | { readonly kind: "abandoned"; readonly abandoned: RoundAbandoned };

interface Fault {
  readonly reason: DropReason;
  readonly detail: string;
}

type GatheringState = Extract<State, { kind: "gathering" }>;

export function createRound(plan: RoundPlan): Round {
  let state: State = { kind: "waiting" };
  let deadline: number | undefined;
  const lost = new Set<DeviceId>();
  let send: Outgoing[] = [];
  let facts: RoundFact[] = [];
  let uploads: DeviceId[] = [];

  function stage(): Round["stage"] {
    switch (state.kind) {
      case "waiting":
        return STAGES[0];
      case "gathering":
        return state.stage;
      case "exchanging":
        return state.session.stage;
      case "done":
      case "abandoned":
        return state.kind;
    }
  }

  /** Hands out what has piled up, exactly once. */
  function effects(): RoundEffects {
    const out = { send, facts, uploads };
    send = [];
    facts = [];
    uploads = [];
    return out;
  }

  function drop(device: DeviceId, at: Stage, reason: DropReason, detail?: string): void {
    if (lost.has(device)) return;
    lost.add(device);
    facts.push({ kind: "lost", device, stage: at, reason, ...(detail === undefined ? {} : { detail }) });
    // A device that told us it left, or is gone, needs no answer.
    if (reason !== "disconnected" && reason !== "declined" && reason !== "aborted" && reason !== "training-failed") {
      send.push({ to: device, frame: encodeReleased(plan, reason) });
    }
  }

  function gather(now: number, at: "configure" | "train", expected: Iterable<DeviceId>): void {
    state = { kind: "gathering", stage: at, expected: new Set(expected), answered: new Set(), early: new Set() };
    deadline = now + plan.deadlines[at];
    facts.push({ kind: "stage", stage: at, expected: state.expected.size });
  }

  function abandon(
    at: Stage,
    reason: AbandonReason,
    have: number,
    need: number,
    detail: string,
    left: Iterable<DeviceId>,
  ): void {
    state = { kind: "abandoned", abandoned: { stage: at, reason, have, need, detail } };
    deadline = undefined;
    for (const device of left) if (!lost.has(device)) send.push({ to: device, frame: encodeReleased(plan, reason) });
  }

  function take(now: number, from: SecAggEffects, at: Stage): void {
    send.push(...from.send);
    for (const { device, reason, detail } of from.dropped) drop(device, at, reason, detail);
    if (state.kind !== "exchanging") return;
    const { session } = state;
    if (session.stage === at) return;
    if (session.stage === "abandoned") {
      const why = session.abandoned;
      if (why === undefined) throw new Error("a session that is abandoned has a reason");
      abandon(at, why.reason, why.have, why.need, why.detail, plan.invited);
    } else if (session.stage === "done") {
      if (session.result === undefined) throw new Error("a session that is done has a result");
      state = { kind: "done", result: session.result };
      deadline = undefined;
    } else {
      enterExchange(now, session);
    }
  }

  function enterExchange(now: number, session: ServerSecAgg): void {
    if (session.stage === "mask") plan.beforeMasks?.();
    // Uploads take turns, and each turn has a deadline of its own.
    const gate = session.stage === "mask" ? createUploadGate(plan.deadlines.exchange) : undefined;
    state = { kind: "exchanging", session, gate };
    deadline = now + plan.deadlines.exchange;
    if (session.stage === "done" || session.stage === "abandoned") return;
    facts.push({ kind: "stage", stage: session.stage, expected: session.waitingFor.size });
  }

  /** Gives the turns that have become free. */
  function grantUploads(now: number): void {
    if (state.kind !== "exchanging" || state.gate === undefined) return;
    uploads.push(...state.gate.grant(now, state.session.waitingFor));
    deadline = state.gate.deadline ?? deadline;
  }

  /** Ends stages for as long as nobody is left to wait for. */
  function settle(now: number): void {
    for (;;) {
      if (state.kind === "gathering") {
        // Some may have trained while others were not even heard of.
        const trained = state.stage === "train" ? state.answered : state.early;
        const goalReached = plan.closeAt === "goal" && trained.size >= plan.goal;
        if (state.expected.size > 0 && !goalReached) return;
        closeGathering(now, state, "over-selected");
      } else if (state.kind === "exchanging") {
        const { session } = state;
        const at = session.stage;
        grantUploads(now);
        if (at === "done" || at === "abandoned" || session.waitingFor.size > 0) return;
        take(now, session.closeStage(), at);
      } else {
        return;
      }
    }
  }

  function closeGathering(now: number, gathering: GatheringState, reasonForMissing: DropReason): void {
    for (const device of gathering.expected) drop(device, gathering.stage, reasonForMissing);
    const have = gathering.answered.size;
    if (have < plan.quorum) {
      const detail = `${have} devices got through ${gathering.stage}, ${plan.quorum} are needed`;
      abandon(gathering.stage, "below-quorum", have, plan.quorum, detail, gathering.answered);
      return;
    }
    if (gathering.stage === "configure") {
      gather(now, "train", gathering.answered);
      if (state.kind === "gathering") for (const device of gathering.early) answer(state, device);
      return;
    }
    const trained = [...gathering.answered];
    enterExchange(now, plan.createSecAgg(trained));
    for (const device of trained) send.push({ to: device, frame: encodeBegin(plan) });
  }

  function answer(gathering: GatheringState, device: DeviceId): void {
    gathering.expected.delete(device);
    gathering.answered.add(device);
    facts.push({ kind: "answered", stage: gathering.stage, device });
  }

  function lose(gathering: GatheringState, device: DeviceId, reason: DropReason, detail?: string): void {
    gathering.expected.delete(device);
    gathering.answered.delete(device);
    gathering.early.delete(device);
    drop(device, gathering.stage, reason, detail);
  }

  function receiveGathering(gathering: GatheringState, device: DeviceId, frame: Uint8Array): void {
    const read = readGathering(gathering, device, frame);
    if (read === "answer") answer(gathering, device);
    else if (read === "early") gathering.early.add(device);
    else lose(gathering, device, read.reason, read.detail);
  }

  /** What a message before the exchanges is: the answer that is waited for, the next one already, or a fault. */
  function readGathering(gathering: GatheringState, device: DeviceId, frame: Uint8Array): "answer" | "early" | Fault {
    let decoded: ReturnType<typeof decodeFrame>;
    try {
      decoded = decodeFrame(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return { reason: "malformed", detail: error.message };
    }
    const { header, body } = decoded;
    if (!equalBytes(header.roundId, plan.roundId) || !equalBytes(header.binding, plan.context)) {
      return { reason: "malformed", detail: "a frame of another round" };
    }
    if (header.type === FRAME_TYPES.decline || header.type === FRAME_TYPES.abort) {
      const code = decodeAbortCode(body);
      if (code === undefined) return { reason: "malformed", detail: "an unknown code" };
      return { reason: dropReasonFor(code), detail: code };
    }
    const { stage: at, expected, answered, early } = gathering;
    const isTrained = header.type === FRAME_TYPES.trained && body.length === 0;
    if (at === "configure" && isTrained && answered.has(device) && !early.has(device)) return "early";
    const wanted = at === "configure" ? FRAME_TYPES.accept : FRAME_TYPES.trained;
    if (header.type !== wanted || body.length !== 0) {
      return { reason: "malformed", detail: `message type ${header.type} during ${at}` };
    }
    return expected.has(device) ? "answer" : { reason: "duplicate", detail: "it had answered already" };
  }

  return {
    get stage() {
      return stage();
    },
    get deadline() {
      return deadline;
    },
    get result() {
      return state.kind === "done" ? state.result : undefined;
    },
    get abandoned() {
      return state.kind === "abandoned" ? state.abandoned : undefined;
    },
    start(now) {
      if (state.kind !== "waiting") throw new Error("a round starts once");
      facts.push({ kind: "stage", stage: "select", expected: plan.invited.length });
      if (plan.invited.length < plan.quorum) {
        const detail = `${plan.invited.length} devices can be invited, ${plan.quorum} are needed`;
        abandon("select", "too-few-devices", plan.invited.length, plan.quorum, detail, []);
        return effects();
      }
      gather(now, "configure", plan.invited);
      for (const device of plan.invited) for (const frame of plan.configuration) send.push({ to: device, frame });
      return effects();
    },
    receive(now, device, frame) {
      // What a device sends after it was dropped, or after the end, is discarded unread.
      if (lost.has(device)) return effects();
      if (state.kind === "gathering") {
        if (!state.expected.has(device) && !state.answered.has(device)) return effects();
        receiveGathering(state, device, frame);
      } else if (state.kind === "exchanging") {
        const at = state.session.stage;
        if (at === "done" || at === "abandoned") return effects();
        const before = state.session.waitingFor.has(device);
        const out = state.session.receive(device, frame);
        const dropped = out.dropped.some((entry) => entry.device === device);
        if (before && !dropped && !state.session.waitingFor.has(device))
          facts.push({ kind: "answered", stage: at, device });
        take(now, out, at);
      }
      settle(now);
      return effects();
    },
    disconnected(now, device, reason = "disconnected") {
      if (lost.has(device)) return effects();
      if (state.kind === "gathering") {
        if (state.expected.has(device) || state.answered.has(device)) lose(state, device, reason);
      } else if (state.kind === "exchanging") {
        const at = state.session.stage;
        if (at !== "done" && at !== "abandoned") take(now, state.session.leave(device, reason), at);
      }
      settle(now);
      return effects();
    },
    tick(now) {
      if (deadline === undefined || now < deadline) return effects();
      if (state.kind === "gathering") {
        closeGathering(now, state, "deadline");
      } else if (state.kind === "exchanging") {
        const { session, gate } = state;
        const at = session.stage;
        if (at !== "done" && at !== "abandoned") {
          if (gate === undefined) take(now, session.closeStage(), at);
          else for (const device of gate.overdue(now)) take(now, session.leave(device, "deadline"), at);
        }
      }
      settle(now);
      return effects();
    },
    stop(_now, reason) {
      const at = stage();
      if (at === "done" || at === "abandoned") return effects();
      abandon(at, reason, 0, 0, "the coordinator was told to stop", plan.invited);
      return effects();
    },
  };
}

function dropReasonFor(code: AbortCode): DropReason {
  switch (code) {
    case "training-failed":
    case "non-finite-update":
      return "training-failed";
    default:
      return "declined";
  }
}
