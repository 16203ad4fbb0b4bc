import { describe, expect, test } from "vitest";
import { equalBytes } from "../../shared/crypto/bytes.ts";
import type { FrameTypeName } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { decodeUnmask } from "../../shared/secagg/messages/exchanges.ts";
import { clientOf, deviceName, plainSum, runSession } from "../secagg/session-harness.ts";
import { type AttackedSession, attackedSession, bodyOf, ending, isType, reframe, sentBy, tamper } from "./fixture.ts";

const VICTIM = deviceName(0);

describe("a request that is not this session's", () => {
  const requests: FrameTypeName[] = ["sharesForward", "survivors", "acks", "done"];

  test.each(requests)("%s bound to another session, round, sender or place", (type) => {
    for (const [code, header] of [
      ["session-mismatch", { binding: new Uint8Array(32) }],
      ["context-mismatch", { roundId: new Uint8Array(16) }],
      ["malformed-message", { sender: 1 }],
      ["malformed-message", { sequence: 1 }],
    ] as const) {
      const session = attackedSession({ size: 3 });
      runSession(
        session,
        tamper(type, (frame) => reframe(frame, undefined, header), VICTIM),
      );
      expect(ending(session, VICTIM)).toBe(code);
    }
  });

  test.each(["roster", ...requests] as FrameTypeName[])(
    "%s of an old round, replayed as it was and re-addressed",
    (type) => {
      const old = attackedSession({ size: 5, agreement: { roundId: new Uint8Array(16).fill(1) } });
      runSession(old);
      const identity = (device: number) => old.identities[device];
      const recorded = old.delivered.find(
        ({ device, direction, frame }) => device === VICTIM && direction === "down" && isType(frame, type),
      )!.frame;

      const asItWas = attackedSession({ size: 5, identity });
      runSession(
        asItWas,
        tamper(type, () => recorded, VICTIM),
      );
      expect(ending(asItWas, VICTIM)).toBe("context-mismatch");

      const readdressed = attackedSession({ size: 5, identity });
      runSession(
        readdressed,
        tamper(type, (frame) => reframe(frame, bodyOf(recorded)), VICTIM),
      );
      const outcome = { roster: "own-entry", acks: "too-few-confirmations" }[type as string] ?? "done";
      expect(ending(readdressed, VICTIM)).toBe(outcome);
      if (type !== "sharesForward") return;
      // The old boxes do not open in the new session: there is nothing of the old round that it could give away.
      const shares = decodeUnmask(bodyOf(sentBy(readdressed, VICTIM, "unmask")[0]), 4);
      expect(shares.every(({ kind }) => kind === "none")).toBe(true);
    },
  );
});

describe("requests out of turn", () => {
  /** The coordinator lets `type` be followed by, or replaced with, other frames that it sent in the session. */
  const request = (session: AttackedSession, type: FrameTypeName): Uint8Array =>
    session.delivered.find(
      ({ device, direction, frame }) => device === VICTIM && direction === "down" && isType(frame, type),
    )!.frame;

  test.each([
    ["sharesForward", "survivors"],
    ["sharesForward", "acks"],
    ["survivors", "acks"],
    ["acks", "done"],
  ] as const)("%s skipped, %s sent in its place", (skipped, sent) => {
    const session = attackedSession({ size: 3 });
    runSession(
      session,
      tamper(skipped, (frame) => reframe(frame, undefined, { type: TYPES[sent] }), VICTIM),
    );
    expect(ending(session, VICTIM)).toBe("unexpected-message");
  });

  test.each(["roster", "sharesForward", "survivors", "acks"] as const)(
    "%s repeated: the same bytes again; changed: abort",
    (type) => {
      const session = attackedSession({ size: 5 });
      const replies: Uint8Array[][] = [];
      runSession(session, {
        up(device, reply) {
          if (device === VICTIM) replies.push([...reply]);
          return reply;
        },
        ...tamper(type, (frame) => [frame, frame.slice()], VICTIM),
      });
      // The coordinator drops a device that answers twice, whatever it answers; the device itself just repeats itself.
      const [first, again] = replies.slice(-2);
      expect(again.length).toBeGreaterThan(0);
      expect(again.every((frame, i) => equalBytes(frame, first[i]))).toBe(true);

      const changed = attackedSession({ size: 5 });
      runSession(
        changed,
        tamper(type, (frame) => [frame, flipLastBit(frame)], VICTIM),
      );
      expect(ending(changed, VICTIM)).toBe("changed-message");
    },
  );

  test("an earlier request again, byte for byte, is out of turn", () => {
    const session = attackedSession({ size: 5 });
    runSession(
      session,
      tamper("survivors", (frame) => [request(session, "roster"), frame], VICTIM),
    );
    expect(ending(session, VICTIM)).toBe("unexpected-message");
    expect(sentBy(session, VICTIM, "ack")).toEqual([]);
  });

  test("a second list of survivors, after the first was confirmed: no share of either kind leaves", () => {
    const session = attackedSession({ size: 5 });
    const second = () =>
      encodeBitmap(
        [0, 1, 2, 3].map((i) => session.indices[i]),
        5,
      );
    runSession(
      session,
      tamper("survivors", (frame) => [frame, reframe(frame, second())], VICTIM),
    );
    expect(ending(session, VICTIM)).toBe("changed-message");
    expect(sentBy(session, VICTIM, "unmask")).toEqual([]);
  });

  test("after it unmasked, no request gets a share out of it but the one it answered", () => {
    const session = attackedSession({ size: 5 });
    const answers: (readonly Uint8Array[])[] = [];
    runSession(session, {
      up(device, reply) {
        if (device !== VICTIM || !isType(reply[0], "unmask")) return reply;
        answers.push(reply, clientOf(session, VICTIM).receive(request(session, "acks")));
        answers.push(clientOf(session, VICTIM).receive(flipLastBit(request(session, "acks"))));
        answers.push(clientOf(session, VICTIM).receive(request(session, "acks")));
        return reply;
      },
    });
    const [unmasked, repeated, changed, afterwards] = answers;
    expect(repeated).toEqual(unmasked);
    expect(changed.map((frame) => isType(frame, "abort"))).toEqual([true]);
    expect(afterwards).toEqual([]);
  });

  test("an oversize frame is refused by its length, whatever type it names", () => {
    for (const type of ["roster", "sharesForward", "survivors", "acks", "done"] as const) {
      const session = attackedSession({ size: 3 });
      runSession(
        session,
        tamper(type, (frame) => reframe(frame, new Uint8Array(4 << 20).fill(0xff)), VICTIM),
      );
      expect(ending(session, VICTIM)).toBe("malformed-message");
    }
  });

  const TYPES = { survivors: 21, acks: 23, done: 26 } as const;

  function flipLastBit(frame: Uint8Array): Uint8Array {
    return frame.map((byte, i) => (i === frame.length - 1 ? byte ^ 1 : byte));
  }
});

test("a model swapped for one device: its keys are signed for another model, and nobody shares with it", () => {
  const swapped = new Uint8Array(32).fill(0x44);
  const session = attackedSession({ size: 5 });
  const other = attackedSession({
    size: 5,
    identity: (device) => session.identities[device],
    agreement: { modelHash: swapped },
  });
  const stranger: DeviceId = deviceName(1);
  // The coordinator follows the protocol with everybody, but device 1 was given another model.
  let advertised: readonly Uint8Array[] = [];
  runSession(session, {
    up(device, reply) {
      if (device !== stranger || !isType(reply[0], "advertise")) return reply;
      advertised = clientOf(other, stranger).start();
      return advertised;
    },
  });
  expect(session.dropped).toContainEqual(expect.objectContaining({ device: stranger, reason: "malformed" }));
  expect(session.server.result?.sum).toEqual(plainSum(session, [0, 2, 3, 4].map(deviceName)));
});
