import { equalBytes } from "../../shared/crypto/bytes.ts";
import { decodeAbortCode } from "../../shared/protocol/control-messages.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import { decodeFrame, FRAME_TYPES, NO_INDEX } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { DropReason } from "../../shared/protocol/reasons.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import { collectKeys } from "./keys.ts";
import {
  DeviceFault,
  type ExchangeStage,
  type Outgoing,
  rosterIndex,
  type SecAggAbandoned,
  type SecAggResult,
  type ServerSecAggOptions,
  type ServerStage,
  type StageContext,
  type SuspectPair,
  type Transition,
} from "./stage.ts";

export type { SecAggAbandoned, SecAggResult, ServerSecAggOptions, SuspectPair } from "./stage.ts";

/**
 * The coordinator's side of one session of secure aggregation (`docs/protocol.md`): no I/O, no time. Who calls decides
 * when a stage closes: when nobody is waited for any more, or when its deadline has passed.
 *
 * ```
 *  keys ─U1─► shares ─U2─► mask ─U3─► confirm ──► unmask ──► done: the sum over U3
 *    └────────┴────────────┴───────────┴────────────┴──► abandoned: nobody's update was opened
 * ```
 *
 * Until U3 closes, a device that misbehaves is dropped, not the round.
 */
export interface ServerSecAgg {
  readonly stage: ExchangeStage | "done" | "abandoned";
  /** Whose answer the stage still lacks. */
  readonly waitingFor: ReadonlySet<DeviceId>;
  receive(device: DeviceId, frame: Uint8Array): SecAggEffects;
  /** The device is gone, or the caller drops it. */
  leave(device: DeviceId, reason: DropReason, detail?: string): SecAggEffects;
  /** Ends the stage, atomically, with those who answered; the others are dropped. */
  closeStage(): SecAggEffects;
  readonly abandoned: SecAggAbandoned | undefined;
  readonly result: SecAggResult | undefined;
  /** Graph, degree, threshold and claim; from the moment the roster is closed. */
  readonly parameters: AgreedParameters | undefined;
  /** Pairs of devices between which a share proved wrong. For the operator. */
  readonly suspects: readonly SuspectPair[];
}

export interface SecAggEffects {
  readonly send: readonly Outgoing[];
  readonly dropped: readonly Dropped[];
}

export interface Dropped {
  readonly device: DeviceId;
  readonly reason: DropReason;
  readonly detail?: string;
}

type State =
  | { readonly kind: "collecting"; readonly stage: ServerStage }
  | { readonly kind: "done"; readonly result: SecAggResult }
  | { readonly kind: "abandoned"; readonly why: SecAggAbandoned };

const NOBODY: ReadonlySet<DeviceId> = new Set();
const NOTHING: SecAggEffects = { send: [], dropped: [] };

/** @throws {Error} at `active-server` without the authority's key: no claim could be made then. */
export function createServerSecAgg(options: ServerSecAggOptions): ServerSecAgg {
  if (options.agreement.level === "active-server" && options.authority === undefined) {
    throw new Error("protection from an active coordinator needs the enrolment authority's key");
  }
  return runStages(options, collectKeys);
}

/** Runs a session from its first stage on. */
export function runStages(options: ServerSecAggOptions, open: (context: StageContext) => ServerStage): ServerSecAgg {
  const { provider, agreement } = options;
  const invited = new Set(options.invited);
  const context = contextHash(provider, agreement);
  const gone = new Set<DeviceId>();
  const suspects: SuspectPair[] = [];
  let parameters: AgreedParameters | undefined;
  let state: State = {
    kind: "collecting",
    stage: open({
      options,
      context,
      isPresent: (device) => !gone.has(device),
      suspect: (pair) => suspects.push(pair),
      adopt(agreed) {
        parameters = agreed;
      },
    }),
  };

  function drop(stage: ServerStage, device: DeviceId, reason: DropReason, detail?: string): SecAggEffects {
    gone.add(device);
    stage.leave(device);
    return { send: [], dropped: [{ device, reason, ...(detail === undefined ? {} : { detail }) }] };
  }

  function receive(stage: ServerStage, device: DeviceId, bytes: Uint8Array): SecAggEffects {
    const { header, body } = decodeFrame(bytes);
    if (!equalBytes(header.roundId, agreement.roundId)) {
      throw new DeviceFault("malformed", "a frame of another round");
    }
    if (header.type === FRAME_TYPES.abort) {
      const code = decodeAbortCode(body);
      if (code === undefined) throw new DeviceFault("malformed", "an abort without a known code");
      throw new DeviceFault("aborted", code);
    }
    const { roster } = stage;
    const binding = roster === undefined ? context : roster.sid;
    const sender = roster === undefined ? NO_INDEX : rosterIndex(roster, device);
    if (!equalBytes(header.binding, binding) || header.sender !== sender) {
      throw new DeviceFault("malformed", "a frame of another session or sender");
    }
    if (header.sequence !== 0 && header.type !== FRAME_TYPES.masked && header.type !== FRAME_TYPES.plainUpdate) {
      throw new DeviceFault("malformed", "only an upload comes in several frames");
    }
    stage.receive(device, header, body);
    return NOTHING;
  }

  function enter(transition: Transition): readonly Outgoing[] {
    switch (transition.kind) {
      case "next":
        state = { kind: "collecting", stage: transition.stage };
        return transition.send;
      case "done":
        state = { kind: "done", result: transition.result };
        return transition.send;
      case "abandoned": {
        const { kind: _, ...why } = transition;
        state = { kind: "abandoned", why };
        return [];
      }
    }
  }

  /** Frames of strangers, of devices that are out, or after the end are discarded unread. */
  function isHeard(device: DeviceId): boolean {
    return state.kind === "collecting" && invited.has(device) && !gone.has(device);
  }

  return {
    get stage() {
      return state.kind === "collecting" ? state.stage.name : state.kind;
    },
    get waitingFor() {
      return state.kind === "collecting" ? state.stage.waitingFor : NOBODY;
    },
    get abandoned() {
      return state.kind === "abandoned" ? state.why : undefined;
    },
    get result() {
      return state.kind === "done" ? state.result : undefined;
    },
    get parameters() {
      return parameters;
    },
    get suspects() {
      return suspects;
    },
    receive(device, frame) {
      if (state.kind !== "collecting" || !isHeard(device)) return NOTHING;
      try {
        return receive(state.stage, device, frame);
      } catch (error) {
        if (error instanceof DeviceFault) return drop(state.stage, device, error.reason, error.message);
        if (error instanceof EncodingError) return drop(state.stage, device, "malformed", error.message);
        throw error;
      }
    },
    leave(device, reason, detail) {
      if (state.kind !== "collecting" || !isHeard(device)) return NOTHING;
      return drop(state.stage, device, reason, detail);
    },
    closeStage() {
      if (state.kind !== "collecting") return NOTHING;
      const { stage } = state;
      const dropped: Dropped[] = [];
      for (const device of [...stage.waitingFor]) dropped.push(...drop(stage, device, "deadline").dropped);
      return { dropped, send: enter(stage.close()) };
    },
  };
}
