import { equalBytes } from "../../shared/crypto/bytes.ts";
import { cutIntoChunks } from "../../shared/protocol/chunks.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, type FrameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import { ABORT_CODES, type AbortCode } from "../../shared/protocol/reasons.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { decodeDone } from "../../shared/secagg/messages/exchanges.ts";
import { advertise } from "./advertise.ts";
import { confirm } from "./confirm.ts";
import { DeviceAbort } from "./device-abort.ts";
import { mask } from "./mask.ts";
import { checkAgreement } from "./policy.ts";
import { share } from "./share.ts";
import type { ClientPhase, ClientSecAggOptions, ClientState } from "./state.ts";
import { unmask } from "./unmask.ts";

export type { ClientPhase, ClientSecAggOptions, DeviceIdentity } from "./state.ts";

/**
 * A device's side of one session of secure aggregation (`docs/protocol.md`): frames in, frames out, no I/O, no time.
 *
 * ```
 *  ready ─start─► advertised ─ROSTER─► shared ─SHARES_FWD─► masked ─SURVIVORS─► confirmed ─ACKS─► unmasked ─DONE─► done
 *                     └────────────────── any check that fails: ABORT, keys wiped ──────────────────┘
 * ```
 *
 * A request repeated byte for byte is answered with the same bytes. Any other message out of turn aborts.
 */
export interface ClientSecAgg {
  readonly phase: ClientPhase;
  /** ADVERTISE, or ABORT when the agreement is against the device's policy. */
  start(): Uint8Array[];
  receive(frame: Uint8Array): Uint8Array[];
  /** Gives up: wipes the keys and tells the code. Nothing when the session is over already. */
  abort(code: AbortCode, detail?: string): Uint8Array[];
  readonly outcome: ClientOutcome | undefined;
}

export type ClientOutcome =
  | { readonly kind: "done"; readonly resultHash: Uint8Array; readonly survivors: number }
  | { readonly kind: "aborted"; readonly code: AbortCode; readonly detail: string };

/** The request that a phase waits for. */
const AWAITED: Partial<Record<ClientPhase, FrameType>> = {
  advertised: FRAME_TYPES.roster,
  shared: FRAME_TYPES.sharesForward,
  masked: FRAME_TYPES.survivors,
  confirmed: FRAME_TYPES.acks,
  unmasked: FRAME_TYPES.done,
};

export function createClientSecAgg(options: ClientSecAggOptions): ClientSecAgg {
  const { provider, agreement } = options;
  const context = contextHash(provider, agreement);
  let state: ClientState = { phase: "ready" };
  let outcome: ClientOutcome | undefined;
  /** Of the request that was answered last: its type, its hash, the answer. */
  let answered: { readonly type: FrameType; readonly digest: Uint8Array; readonly reply: Uint8Array[] } | undefined;

  function abort(code: AbortCode, detail: string): Uint8Array[] {
    if (state.phase === "done" || state.phase === "aborted") return [];
    const frame = encode(FRAME_TYPES.abort, Uint8Array.of(ABORT_CODES[code]));
    wipe(state);
    state = { phase: "aborted" };
    answered = undefined;
    outcome = { kind: "aborted", code, detail };
    return [frame];
  }

  function encode(type: FrameType, body: Uint8Array, sequence = 0): Uint8Array {
    const session = "session" in state ? state.session : undefined;
    const binding = type === FRAME_TYPES.advertise || session === undefined ? context : session.sid;
    const sender = session?.index ?? NO_INDEX;
    return encodeFrame({ type, flags: 0, roundId: agreement.roundId, binding, sender, sequence }, body);
  }

  /** One request, in its phase; the reply. */
  function answer(body: Uint8Array): Uint8Array[] {
    switch (state.phase) {
      case "advertised": {
        const next = share(options, state, body);
        state = next.state;
        return [encode(FRAME_TYPES.shares, next.body)];
      }
      case "shared": {
        const shared = state;
        const next = mask(options, shared, body);
        wipe(shared);
        state = next.state;
        // In the new phase already: a refusal has to wipe the neighbours' shares.
        options.journal.recordUpload(agreement.taskId, agreement.roundId, agreement.modelHash);
        return cutIntoChunks(next.upload).map((chunk, i) => encode(FRAME_TYPES.masked, chunk, i));
      }
      case "masked": {
        const next = confirm(options, state, body);
        state = next.state;
        return [encode(FRAME_TYPES.ack, next.body)];
      }
      case "confirmed": {
        const confirmed = state;
        const next = unmask(options, confirmed, body);
        wipe(confirmed);
        state = next.state;
        return [encode(FRAME_TYPES.unmask, next.body)];
      }
      case "unmasked": {
        const { resultHash, survivors } = decodeDone(body);
        if (survivors !== state.survivors) {
          throw new DeviceAbort("changed-message", `${survivors} inputs in the sum, ${state.survivors} were confirmed`);
        }
        state = { phase: "done" };
        outcome = { kind: "done", resultHash, survivors };
        return [];
      }
      case "ready":
      case "done":
      case "aborted":
        throw new Error(`no request is awaited in phase ${state.phase}`);
    }
  }

  function receive(bytes: Uint8Array): Uint8Array[] {
    const { header, body } = decodeFrame(bytes);
    const digest = provider.sha256(bytes);
    if (answered !== undefined && header.type === answered.type) {
      if (!equalBytes(digest, answered.digest)) {
        throw new DeviceAbort("changed-message", "a request was repeated with other content");
      }
      return answered.reply;
    }
    if (header.type !== AWAITED[state.phase]) {
      throw new DeviceAbort("unexpected-message", `message type ${header.type} in phase ${state.phase}`);
    }
    const session = "session" in state ? state.session : undefined;
    if (!equalBytes(header.roundId, agreement.roundId)) {
      throw new DeviceAbort("context-mismatch", "a request for another round");
    }
    if (session === undefined && !equalBytes(header.binding, context)) {
      throw new DeviceAbort("context-mismatch", "the roster is bound to another agreement");
    }
    if (session !== undefined && !equalBytes(header.binding, session.sid)) {
      throw new DeviceAbort("session-mismatch", "a request of another session");
    }
    if (header.sender !== NO_INDEX || header.sequence !== 0) {
      throw new DeviceAbort("malformed-message", "a request that is not the coordinator's");
    }
    const reply = answer(body);
    answered = { type: header.type, digest, reply };
    return reply;
  }

  /** Whatever a check says, as an ABORT; anything else is a fault of the program and is thrown on. */
  function guarded(step: () => Uint8Array[]): Uint8Array[] {
    if (state.phase === "done" || state.phase === "aborted") return [];
    try {
      return step();
    } catch (error) {
      if (error instanceof DeviceAbort) return abort(error.code, error.message);
      if (error instanceof EncodingError) return abort("malformed-message", error.message);
      wipe(state);
      state = { phase: "aborted" };
      answered = undefined;
      outcome = { kind: "aborted", code: "stopped", detail: "the device failed" };
      throw error;
    }
  }

  return {
    get phase() {
      return state.phase;
    },
    get outcome() {
      return outcome;
    },
    start: () =>
      guarded(() => {
        if (state.phase !== "ready") throw new Error("a session starts once");
        checkAgreement(agreement, options.policy, options.authority !== undefined);
        if (options.input.length !== agreement.dimension) {
          throw new Error(`the input has ${options.input.length} coordinates, ${agreement.dimension} were agreed`);
        }
        const next = advertise(options);
        state = next.state;
        return [encode(FRAME_TYPES.advertise, next.body)];
      }),
    receive: (frame) => guarded(() => receive(frame)),
    abort: (code, detail = "") => abort(code, detail),
  };
}

/** Overwrites a phase's secrets, as far as the platform lets it. */
function wipe(state: ClientState): void {
  switch (state.phase) {
    case "advertised":
      state.channel.wipe();
      state.mask.wipe();
      return;
    case "shared":
      for (const key of state.incoming.values()) key.fill(0);
      state.mask.wipe();
      state.seed.fill(0);
      return;
    case "masked":
    case "confirmed":
      for (const { seed, maskKey } of state.held.values()) {
        seed.fill(0);
        maskKey.fill(0);
      }
      return;
    case "ready":
    case "unmasked":
    case "done":
    case "aborted":
      return;
  }
}
