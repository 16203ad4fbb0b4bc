import { describe, expect, it } from "vitest";
import { decodeWelcome, encodeWelcome } from "../../../shared/protocol/connection-messages.ts";
import { decodeFrame, FrameError } from "../../../shared/protocol/frame.ts";

const NONCE = new Uint8Array(32).fill(7);
const simulation = { seed: -3, dataset: "mnist", partition: "iid", devices: 10, index: 9, dropout: 0.1 };
const bodyOf = (frame: Uint8Array) => decodeFrame(frame).body;

describe("WELCOME", () => {
  it("reads as it was written", () => {
    for (const welcome of [{ device: "d-1" }, { device: "d-1", simulation }]) {
      expect(decodeWelcome(bodyOf(encodeWelcome(NONCE, welcome)))).toEqual(welcome);
    }
  });

  it.each([{ seed: 0.5 }, { seed: 2 ** 53 }, { index: 10 }, { dropout: 1.5 }, { dropout: -1 }])(
    "to a fleet of %j is refused",
    (changes) => {
      const frame = encodeWelcome(NONCE, { device: "d-1", simulation: { ...simulation, ...changes } });
      expect(() => decodeWelcome(bodyOf(frame))).toThrow(FrameError);
    },
  );
});
