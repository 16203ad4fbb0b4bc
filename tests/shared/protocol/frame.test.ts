import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, FRAME_TYPES, FrameError, type FrameHeader } from "../../../shared/protocol/frame.ts";

const header: FrameHeader = {
  type: FRAME_TYPES.masked,
  flags: 0,
  roundId: new Uint8Array(16).fill(1),
  binding: new Uint8Array(32).fill(2),
  sender: 0x0304,
  sequence: 0x0506,
};

describe("frames", () => {
  test("a header is 64 bytes, in the order that docs/protocol.md gives", () => {
    const frame = Buffer.from(encodeFrame(header, Uint8Array.of(7, 8, 9)));
    expect(frame.toString("hex")).toBe(
      `4d524d4e${"02140100"}${"01".repeat(16)}${"02".repeat(32)}${"0304"}${"0506"}${"00000003"}${"070809"}`,
    );
  });

  test("any frame reads back as it was written", () => {
    const headers = fc.record({
      type: fc.constantFrom(...Object.values(FRAME_TYPES)),
      flags: fc.constant(0),
      roundId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      binding: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      sender: fc.nat(0xffff),
      sequence: fc.nat(0xffff),
    });
    fc.assert(
      fc.property(headers, fc.uint8Array(), (written, body) => {
        expect(decodeFrame(encodeFrame(written, body))).toEqual({ header: written, body });
      }),
    );
  });

  test("no frame can be cut short or made longer", () => {
    const frame = encodeFrame(header, Uint8Array.of(7, 8, 9));
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeFrame(frame.subarray(0, length))).toThrow(FrameError);
    }
    expect(() => decodeFrame(Uint8Array.of(...frame, 0))).toThrow(FrameError);
  });

  test.each([
    ["magic", 3],
    ["version", 4],
    ["type", 5],
    ["suite", 6],
    ["flags", 7],
    ["length", 63],
  ])("another %s is refused", (_, offset) => {
    const frame = encodeFrame(header, Uint8Array.of(7, 8, 9));
    frame[offset] ^= 0x40;
    expect(() => decodeFrame(frame)).toThrow(FrameError);
  });
});
