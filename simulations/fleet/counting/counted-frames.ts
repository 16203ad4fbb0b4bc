import type { RoundBinding } from "../../../shared/protocol/control-messages.ts";
import { encodeFrame, type FrameType, NO_INDEX } from "../../../shared/protocol/frame.ts";

/** What a frame stands for: a message of so many bytes, and the size of the device's answer to it. */
export interface Counted {
  readonly bytes: number;
  readonly answer?: number;
}

/** Frames that stand for messages of secure aggregation: a header, and what is charged for it. */
export interface CountedFrames {
  make(type: FrameType, counted: Counted): Uint8Array;
  /** Undefined for a frame that is what it is. */
  read(frame: Uint8Array): Counted | undefined;
}

export function countedFrames({ roundId, context }: RoundBinding): CountedFrames {
  const counts = new WeakMap<Uint8Array, Counted>();
  const known = new Map<string, Uint8Array>();

  function fresh(type: FrameType, counted: Counted): Uint8Array {
    const fields = { type, flags: 0, roundId, binding: context, sender: NO_INDEX, sequence: 0 };
    const frame = encodeFrame(fields, new Uint8Array(0));
    counts.set(frame, counted);
    return frame;
  }

  return {
    make(type, counted) {
      // Those of one type and size are the same bytes, whoever they are for.
      const key = `${type} ${counted.bytes} ${counted.answer}`;
      const frame = known.get(key) ?? fresh(type, counted);
      known.set(key, frame);
      return frame;
    },
    read: (frame) => counts.get(frame),
  };
}
