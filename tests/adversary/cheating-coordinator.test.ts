import { describe, expect, test } from "vitest";
import type { FrameTypeName } from "../../shared/protocol/frame.ts";
import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import {
  type AcksMessage,
  BOX_BYTES,
  decodeAcks,
  decodeUnmask,
  encodeAcks,
  encodeDone,
} from "../../shared/secagg/messages/exchanges.ts";
import { type Carriage, deviceName, plainSum, runSession, vanishing } from "../secagg/session-harness.ts";
import {
  type AttackedSession,
  type AttackedSessionOptions,
  attackedSession,
  bodyOf,
  ending,
  isType,
  reframe,
  sentBy,
  tamper,
} from "./fixture.ts";

const VICTIM = deviceName(0);
const ABSENT = deviceName(4);

type Forgery = (body: Uint8Array, session: AttackedSession) => Uint8Array;

/** Five devices with threshold 3; the coordinator changes one request to device 0. */
function forge(
  type: FrameTypeName,
  forgery: Forgery,
  options: Partial<AttackedSessionOptions> = {},
  also: Carriage = {},
): AttackedSession {
  const session = attackedSession({ size: 5, ...options });
  const carriage = tamper(type, (frame) => reframe(frame, forgery(bodyOf(frame), session)), VICTIM);
  return { ...session, ...runSession(session, { ...also, ...carriage }) };
}

/** Everyone but device 4, which falls silent before it answers this exchange. */
function without(exchange: "shares" | "mask"): Carriage {
  const { up } = vanishing(new Map([[ABSENT, { exchange, when: "before" as const }]]));
  return up === undefined ? {} : { up };
}

const listing =
  (...devices: number[]): Forgery =>
  (_, { indices }) =>
    encodeBitmap(
      devices.map((device) => indices[device]),
      5,
    );

/** A list with as many boxes as it should have; which boxes, is another question. */
const sharing =
  (...devices: number[]): Forgery =>
  (body, session) =>
    Uint8Array.of(
      ...listing(...devices)(body, session),
      ...body.subarray(1, 1 + BOX_BYTES * devices.filter((device) => device !== 0).length),
    );

describe("lists of who shared (U2)", () => {
  const forgeries: [string, string, Forgery][] = [
    ["the device itself left out", "not-in-survivors", sharing(1, 2, 3, 4)],
    ["fewer devices than its floor", "below-floor", sharing(0, 1)],
    ["fewer of its neighbours than the threshold", "too-few-neighbours", sharing(0, 1, 2)],
    ["a box too few", "malformed-message", (body) => body.subarray(0, -BOX_BYTES)],
    ["a box too many", "malformed-message", (body) => Uint8Array.of(...body, ...body.subarray(-BOX_BYTES))],
    ["a byte too few", "malformed-message", (body) => body.subarray(0, -1)],
    [
      "a device beyond the roster",
      "malformed-message",
      (body) => body.map((byte, i) => (i === 0 ? byte | 0x20 : byte)),
    ],
    ["nothing", "malformed-message", () => new Uint8Array(0)],
  ];
  test.each(forgeries)("%s: %s, and no upload leaves", (_, code, forgery) => {
    const session = forge("sharesForward", forgery);
    expect(ending(session, VICTIM)).toBe(code);
    expect(session.devices.get(VICTIM)?.uploads).toEqual([]);
    expect(sentBy(session, VICTIM, "masked")).toEqual([]);
    expect(session.server.result?.sum).toEqual(plainSum(session, [1, 2, 3, 4].map(deviceName)));
  });

  test("two views of U2: masks of the views do not cancel, and the sum is of no use", () => {
    // Device 0 is told that device 1 never shared, so the mask between the two is in y_1 alone.
    const session = forge("sharesForward", (body, attacked) => {
      const forged = sharing(0, 2, 3, 4)(body, attacked);
      const kept = [0, 1, 2, 3, 4].map((device) => attacked.indices[device]).filter((i) => i !== attacked.indices[0]);
      const boxes = kept
        .sort((a, b) => a - b)
        .flatMap((index, i) =>
          index === attacked.indices[1] ? [] : [...body.subarray(1 + i * BOX_BYTES, 1 + (i + 1) * BOX_BYTES)],
        );
      return Uint8Array.of(forged[0], ...boxes);
    });
    // The honest list of survivors then names device 1, which device 0 knows did not share.
    expect(ending(session, VICTIM)).toBe("not-a-subset");
    expect(session.server.result?.sum).not.toEqual(plainSum(session, [0, 1, 2, 3, 4].map(deviceName)));
  });

  test("boxes in another order, reflected, or of another device give no share", () => {
    for (const rearrange of [
      (boxes: Uint8Array[]) => [boxes[1], boxes[0], ...boxes.slice(2)],
      (boxes: Uint8Array[]) => boxes.map(() => boxes[0]),
    ]) {
      const session = forge("sharesForward", (body) => {
        const boxes = [0, 1, 2, 3].map((i) => body.subarray(1 + i * BOX_BYTES, 1 + (i + 1) * BOX_BYTES));
        return Uint8Array.of(body[0], ...rearrange(boxes).flatMap((box) => [...box]));
      });
      expect(ending(session, VICTIM)).toBe("done");
      const kinds = decodeUnmask(bodyOf(sentBy(session, VICTIM, "unmask")[0]), 4).map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === "none").length).toBeGreaterThanOrEqual(2);
      expect(session.server.result?.sum).toEqual(plainSum(session, session.devices.keys()));
    }
    const reflected = attackedSession({ size: 5 });
    let own: Uint8Array = new Uint8Array(0);
    runSession(reflected, {
      up(device, reply) {
        if (device === VICTIM && isType(reply[0], "shares")) own = bodyOf(reply[0]).subarray(0, 4 * BOX_BYTES);
        return reply;
      },
      ...tamper("sharesForward", (frame) => reframe(frame, Uint8Array.of(bodyOf(frame)[0], ...own)), VICTIM),
    });
    const shares = decodeUnmask(bodyOf(sentBy(reflected, VICTIM, "unmask")[0]), 4);
    expect(shares.map(({ kind }) => kind)).toEqual(["none", "none", "none", "none"]);
  });
});

describe("lists of survivors (U3)", () => {
  const low = { agreement: { floors: { minCohort: 3, minHonest: 1 } }, policy: { minHonest: 1 } };
  const honest = { agreement: { floors: { minCohort: 3, minHonest: 3 } }, policy: { minHonest: 3 } };
  const noisy = { agreement: { minSurvivors: 5 } };
  const forgeries: [string, string, Forgery, Partial<AttackedSessionOptions>][] = [
    ["the device itself left out", "not-in-survivors", listing(1, 2, 3, 4), {}],
    ["fewer devices than its floor", "below-floor", listing(0, 1), low],
    ["too few honest ones for certain", "below-floor", listing(0, 1, 2), honest],
    ["fewer than the noise was sized for", "below-floor", listing(0, 1, 2, 3), noisy],
    ["fewer of its neighbours than the threshold", "too-few-neighbours", listing(0, 1, 2), {}],
    ["a device beyond the roster", "malformed-message", () => Uint8Array.of(0x3f), {}],
    ["a byte too many", "malformed-message", (body) => Uint8Array.of(...body, 0), {}],
    ["nothing", "malformed-message", () => new Uint8Array(0), {}],
  ];
  test.each(forgeries)("%s: %s, and no confirmation leaves", (_, code, forgery, options) => {
    const session = forge("survivors", forgery, options);
    expect(ending(session, VICTIM)).toBe(code);
    expect(sentBy(session, VICTIM, "ack")).toEqual([]);
    expect(sentBy(session, VICTIM, "unmask")).toEqual([]);
  });

  test("a survivor that never shared: not-a-subset", () => {
    const session = forge("survivors", listing(0, 1, 2, 3, 4), {}, without("shares"));
    expect(ending(session, VICTIM)).toBe("not-a-subset");
  });

  test("one device is shown another list: its confirmation counts for nobody, and nobody's for it", () => {
    const session = forge("survivors", listing(0, 1, 2, 3), {}, {});
    expect(session.dropped).toContainEqual(expect.objectContaining({ device: VICTIM, reason: "bad-signature" }));
    expect(sentBy(session, VICTIM, "unmask")).toEqual([]);
    expect(session.server.result?.sum).toEqual(plainSum(session, session.devices.keys()));
  });

  test("half the devices are told that one dropped out: neither half unmasks", () => {
    const session = attackedSession({ size: 6 });
    runSession(
      session,
      tamper("survivors", (frame, device) =>
        [0, 1, 2].map(deviceName).includes(device)
          ? reframe(
              frame,
              encodeBitmap(
                [0, 1, 2, 3, 4].map((i) => session.indices[i]),
                6,
              ),
            )
          : frame,
      ),
    );
    for (const device of session.devices.keys()) expect(sentBy(session, device, "unmask")).toEqual([]);
    expect(session.server.abandoned?.reason).toBe("below-quorum");
  });
});

describe("confirmations", () => {
  const everyone = encodeBitmap([0, 1, 2, 3, 4], 5);
  const forgeries: [string, string, (acks: Confirmations, session: AttackedSession) => Confirmations][] = [
    ["fewer than the threshold", "too-few-confirmations", (acks) => acks.slice(0, 2)],
    ["none", "too-few-confirmations", () => []],
    [
      "fewer valid ones than the threshold",
      "too-few-confirmations",
      (acks) => acks.map((ack, i) => (i < 2 ? { ...ack, signature: new Uint8Array(64) } : ack)),
    ],
    [
      "signatures over another list",
      "too-few-confirmations",
      (acks, session) =>
        acks.map(({ index }) => ({ index, signature: confirming(session, index, encodeBitmap([0, 1, 2, 3], 5)) })),
    ],
    [
      "signatures of another session",
      "too-few-confirmations",
      (acks, session) =>
        acks.map(({ index }) => ({
          index,
          signature: confirming(session, index, everyone, { sid: new Uint8Array(32) }),
        })),
    ],
    [
      "each signature under the next device's name",
      "too-few-confirmations",
      (acks) => acks.map(({ index }, i) => ({ index, signature: acks[(i + 1) % acks.length].signature })),
    ],
    ["one device's signature repeated", "duplicate-device", (acks) => acks.map(() => acks[0])],
    [
      "the device's own signature handed back",
      "unknown-device",
      (acks, session) => [
        ...acks.slice(1),
        { index: session.indices[0], signature: bodyOf(sentBy(session, VICTIM, "ack")[0]) },
      ],
    ],
    ["a device beyond the roster", "unknown-device", (acks) => [...acks.slice(1), { ...acks[0], index: 5 }]],
    [
      "more than there are devices",
      "malformed-message",
      (acks) => [0, 1, 2, 3, 4, 5].map((index) => ({ ...acks[0], index })),
    ],
  ];
  test.each(forgeries)("%s: %s, and no share leaves", (_, code, change) => {
    const session = forge("acks", (body, attacked) =>
      encodeAcks({ confirmations: change(decodeAcks(body, 4).confirmations, attacked) }),
    );
    expect(ending(session, VICTIM)).toBe(code);
    expect(sentBy(session, VICTIM, "unmask")).toEqual([]);
  });

  test("of a device that is not among the survivors: unknown-device", () => {
    const forgery: Forgery = (body, session) => {
      const { confirmations } = decodeAcks(body, 4);
      const survivors = encodeBitmap(
        [0, 1, 2, 3].map((device) => session.indices[device]),
        5,
      );
      const dropped = session.indices[4];
      return encodeAcks({
        confirmations: [...confirmations, { index: dropped, signature: confirming(session, dropped, survivors) }],
      });
    };
    const session = forge("acks", forgery, {}, without("mask"));
    expect(ending(session, VICTIM)).toBe("unknown-device");
  });

  test("over another list of who shared: too-few-confirmations", () => {
    const session = forge("acks", (body, attacked) =>
      encodeAcks({
        confirmations: decodeAcks(body, 5).confirmations.map(({ index }) => ({
          index,
          signature: confirming(attacked, index, everyone, { sharing: encodeBitmap([0, 1, 2, 3], 5) }),
        })),
      }),
    );
    expect(ending(session, VICTIM)).toBe("too-few-confirmations");
  });

  test("exactly the quorum is enough, and a wrong one beside it does no harm", () => {
    const session = forge("acks", (body, attacked) => {
      // The quorum of five is three; the coordinator sends no more.
      const { confirmations } = decodeAcks(body, 5);
      expect(confirmations).toHaveLength(3);
      const listed = new Set([attacked.indices[0], ...confirmations.map(({ index }) => index)]);
      const fourth = [0, 1, 2, 3, 4].find((index) => !listed.has(index))!;
      return encodeAcks({ confirmations: [{ index: fourth, signature: new Uint8Array(64) }, ...confirmations] });
    });
    expect(ending(session, VICTIM)).toBe("done");
  });

  type Confirmations = AcksMessage["confirmations"];

  /** The coordinator has corrupted everybody but the victim. */
  function confirming(
    session: AttackedSession,
    index: number,
    survivors: Uint8Array,
    { sid, sharing = everyone }: { sid?: Uint8Array; sharing?: Uint8Array } = {},
  ): Uint8Array {
    const request = session.delivered.find(({ frame }) => isType(frame, "survivors"))!.frame;
    const device = session.indices.indexOf(index);
    return session.identities[device].sign(confirmedMessage(sid ?? request.slice(24, 56), sharing, survivors));
  }
});

describe("the announced result", () => {
  test.each([
    ["another number of inputs", "changed-message", encodeDone({ resultHash: new Uint8Array(32), survivors: 4 })],
    ["nothing", "malformed-message", new Uint8Array(0)],
    ["bytes too many", "malformed-message", new Uint8Array(35)],
  ])("%s: %s", (_, code, body) => {
    expect(
      ending(
        forge("done", () => body),
        VICTIM,
      ),
    ).toBe(code);
  });
});
