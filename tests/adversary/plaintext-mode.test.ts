import { describe, expect, test } from "vitest";
import { createPlaintextClient } from "../../client/secagg/plaintext.ts";
import { encodeFrame, FRAME_TYPES, type FrameHeader, NO_INDEX } from "../../shared/protocol/frame.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { encodeDone } from "../../shared/secagg/messages/exchanges.ts";
import { NOW_SECONDS, testAgreement, testPolicy } from "../secagg/session-harness.ts";
import { isType, quickProvider } from "./fixture.ts";

describe("the plaintext mode's device", () => {
  const agreement = testAgreement({ mode: "plaintext", dimension: 4 });

  function device(allowPlaintext = true) {
    return createPlaintextClient({
      provider: quickProvider,
      agreement,
      identity: quickProvider.generateEd25519(),
      policy: testPolicy({ allowPlaintext }),
      input: new Int32Array(4),
      journal: { recordUpload() {} },
      nowSeconds: NOW_SECONDS,
    });
  }

  function request(
    header: Partial<FrameHeader> = {},
    body = encodeDone({ resultHash: new Uint8Array(32), survivors: 3 }),
  ) {
    const binding = contextHash(quickProvider, agreement);
    const { roundId } = agreement;
    return encodeFrame(
      { type: FRAME_TYPES.done, flags: 0, roundId, binding, sender: NO_INDEX, sequence: 0, ...header },
      body,
    );
  }

  test("uploads only where its policy allows it, and ends with the result", () => {
    expect(
      device(false)
        .start()
        .map((frame) => isType(frame, "abort")),
    ).toEqual([true]);
    const client = device();
    expect(client.start().map((frame) => isType(frame, "plainUpdate"))).toEqual([true]);
    expect(client.receive(request())).toEqual([]);
    expect(client.outcome).toMatchObject({ kind: "done", survivors: 3 });
  });

  test.each<[string, string, Uint8Array]>([
    ["another request", "unexpected-message", request({ type: FRAME_TYPES.roster })],
    ["the result of another round", "context-mismatch", request({ roundId: new Uint8Array(16) })],
    ["the result of another agreement", "context-mismatch", request({ binding: new Uint8Array(32) })],
    ["half a result", "malformed-message", request({}, new Uint8Array(20))],
  ])("%s: %s", (_, code, frame) => {
    const client = device();
    client.start();
    expect(client.receive(frame).map((reply) => isType(reply, "abort"))).toEqual([true]);
    expect(client.outcome).toMatchObject({ kind: "aborted", code });
  });

  test("a result before it has uploaded: unexpected-message", () => {
    const client = device();
    client.receive(request());
    expect(client.outcome).toMatchObject({ kind: "aborted", code: "unexpected-message" });
  });
});
