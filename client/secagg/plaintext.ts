import { equalBytes } from "../../shared/crypto/bytes.ts";
import { cutIntoChunks } from "../../shared/protocol/chunks.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, type FrameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import { ABORT_CODES, type AbortCode } from "../../shared/protocol/reasons.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { decodeDone } from "../../shared/secagg/messages/exchanges.ts";
import { createRingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { DeviceAbort } from "./device-abort.ts";
import { checkAgreement } from "./policy.ts";
import type { ClientOutcome, ClientSecAgg } from "./session.ts";
import type { ClientSecAggOptions } from "./state.ts";

/**
 * The insecure mode's device: uploads its ring vector as it is, unmasked, and waits for DONE. It takes part only where
 * its policy allows plaintext.
 */
export function createPlaintextClient(options: ClientSecAggOptions): ClientSecAgg {
  const { provider, agreement } = options;
  const context = contextHash(provider, agreement);
  let phase: "ready" | "unmasked" | "done" | "aborted" = "ready";
  let outcome: ClientOutcome | undefined;

  function encode(type: FrameType, body: Uint8Array, sequence = 0): Uint8Array {
    const header = { type, flags: 0, roundId: agreement.roundId, binding: context, sender: NO_INDEX, sequence };
    return encodeFrame(header, body);
  }

  function abort(code: AbortCode, detail: string): Uint8Array[] {
    if (phase === "done" || phase === "aborted") return [];
    phase = "aborted";
    outcome = { kind: "aborted", code, detail };
    return [encode(FRAME_TYPES.abort, Uint8Array.of(ABORT_CODES[code]))];
  }

  function guarded(step: () => Uint8Array[]): Uint8Array[] {
    if (phase === "done" || phase === "aborted") return [];
    try {
      return step();
    } catch (error) {
      if (error instanceof DeviceAbort) return abort(error.code, error.message);
      if (error instanceof EncodingError) return abort("malformed-message", error.message);
      throw error;
    }
  }

  function upload(): Uint8Array[] {
    if (phase !== "ready") throw new Error("a session starts once");
    checkAgreement(agreement, options.policy, options.authority !== undefined);
    const packed = packInput(options);
    options.journal.recordUpload(agreement.taskId, agreement.roundId, agreement.modelHash);
    phase = "unmasked";
    return cutIntoChunks(packed).map((chunk, i) => encode(FRAME_TYPES.plainUpdate, chunk, i));
  }

  function finish(bytes: Uint8Array): Uint8Array[] {
    const { header, body } = decodeFrame(bytes);
    if (phase !== "unmasked" || header.type !== FRAME_TYPES.done) {
      throw new DeviceAbort("unexpected-message", `message type ${header.type} in phase ${phase}`);
    }
    if (!equalBytes(header.roundId, agreement.roundId) || !equalBytes(header.binding, context)) {
      throw new DeviceAbort("context-mismatch", "a message of another round");
    }
    const { resultHash, survivors } = decodeDone(body);
    phase = "done";
    outcome = { kind: "done", resultHash, survivors };
    return [];
  }

  return {
    get phase() {
      return phase;
    },
    get outcome() {
      return outcome;
    },
    start: () => guarded(upload),
    receive: (frame) => guarded(() => finish(frame)),
    abort: (code, detail = "") => abort(code, detail),
  };
}

function packInput({ agreement, input }: ClientSecAggOptions): Uint8Array {
  const accumulator = createRingAccumulator(agreement.dimension, agreement.bits);
  try {
    accumulator.load(input);
    return accumulator.pack();
  } finally {
    accumulator.dispose();
  }
}
