import type { Device, DeviceEffects, DevicePhase, TrainingRequest } from "../../../client/device.ts";
import type { TrainingResult } from "../../../client/training/trainer.ts";
import {
  encodeAccept,
  encodeDecline,
  encodeTrained,
  LARGEST_SENT_MODEL,
  type RoundBinding,
} from "../../../shared/protocol/control-messages.ts";
import { FRAME_TYPES, type FrameType, frameType } from "../../../shared/protocol/frame.ts";
import type { AbortCode } from "../../../shared/protocol/reasons.ts";
import { NonFiniteUpdateError } from "../../../shared/secagg/quantise.ts";
import type { CountedFrames } from "./counted-frames.ts";

export interface CountingDeviceOptions {
  readonly binding: RoundBinding;
  readonly frames: CountedFrames;
  /** Its first message of the exchanges; the sizes of later ones come with the requests. */
  readonly first: { readonly type: FrameType; readonly bytes: number };
  /** The model that the round is on, which it fetches if a device would. */
  readonly model: { readonly hash: Uint8Array; readonly bytes: number };
  /** What it trains, when the model has arrived. */
  readonly request: TrainingRequest;
  /**
   * Takes the result of the training, where it comes back.
   * @throws {NonFiniteUpdateError}
   */
  finish?(result: TrainingResult): void;
  /** The update is in the sum. */
  keep?(): void;
}

/** What a device that is in the round to the end answers a message with. */
const ANSWERS: ReadonlyMap<number, FrameType> = new Map([
  [FRAME_TYPES.roster, FRAME_TYPES.shares],
  [FRAME_TYPES.sharesForward, FRAME_TYPES.masked],
  [FRAME_TYPES.survivors, FRAME_TYPES.ack],
  [FRAME_TYPES.acks, FRAME_TYPES.unmask],
]);

const NOTHING: DeviceEffects = { send: [] };

/**
 * A device that takes its part in one round without secrets: it trains, and answers each message with one that is only
 * counted. It keeps to the order of `client/device.ts`, and checks nothing: the only coordinator that it meets is the
 * simulation's own.
 */
export function createCountingDevice(options: CountingDeviceOptions): Device {
  const { binding, frames, first, model, request } = options;
  let phase: DevicePhase = "idle";

  function begin(): DeviceEffects {
    phase = "training";
    return { send: [encodeAccept(binding)], train: request };
  }

  function leave(code: AbortCode): DeviceEffects {
    phase = "idle";
    return { send: [encodeDecline(binding, code)] };
  }

  function answer(frame: Uint8Array): DeviceEffects {
    const type = ANSWERS.get(frameType(frame) ?? 0);
    const bytes = frames.read(frame)?.answer;
    if (type === undefined || bytes === undefined) return NOTHING;
    return { send: [frames.make(type, { bytes })] };
  }

  return {
    get phase() {
      return phase;
    },
    deadline: undefined,
    receive(_now, frame) {
      switch (frameType(frame)) {
        case FRAME_TYPES.configure:
          phase = model.bytes > LARGEST_SENT_MODEL ? "fetching" : "receiving";
          return phase === "fetching" ? { send: [], fetch: model } : NOTHING;
        case FRAME_TYPES.model:
          return begin();
        case FRAME_TYPES.begin:
          phase = "exchanging";
          return { send: [frames.make(first.type, { bytes: first.bytes })] };
        case FRAME_TYPES.done:
          options.keep?.();
          phase = "idle";
          return NOTHING;
        case FRAME_TYPES.released:
          phase = "idle";
          return NOTHING;
        default:
          return answer(frame);
      }
    },
    fetched: begin,
    fetchFailed: () => leave("model-unavailable"),
    trained(_now, result) {
      try {
        options.finish?.(result);
      } catch (error) {
        if (error instanceof NonFiniteUpdateError) return leave("non-finite-update");
        throw error;
      }
      phase = "trained";
      return { send: [encodeTrained(binding)] };
    },
    trainingFailed: (_now, code = "training-failed") => leave(code),
    tick: () => NOTHING,
    disconnected() {
      phase = "idle";
      return NOTHING;
    },
  };
}
