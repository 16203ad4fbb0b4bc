import { describe, expect, test } from "vitest";
import { createPlaintextClient } from "../../client/secagg/plaintext.ts";
import { createPlaintextServer } from "../../server/secagg/plaintext.ts";
import { FRAME_TYPES, frameType, HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { packedLength } from "../../shared/secagg/ring-accumulator.ts";
import { nodeProvider } from "../shared/crypto/providers.ts";
import {
  createTestSession,
  deviceName,
  EXCHANGES,
  exchangeAnswered,
  NOW_SECONDS,
  plainSum,
  runSession,
  sharedVerification,
  testAgreement,
  testPolicy,
  type Vanishing,
  vanishing,
} from "./session-harness.ts";

/** Changes one byte of a frame. */
function changed(frame: Uint8Array, at: number): Uint8Array {
  const copy = frame.slice();
  copy[at < 0 ? copy.length + at : at] ^= 1;
  return copy;
}

describe("a device", () => {
  test.each(EXCHANGES.slice(1))("answers a request that is repeated in %s with the same bytes", (exchange) => {
    const session = createTestSession({ size: 4 });
    let compared = 0;
    runSession(session, {
      up(device, reply, { devices, delivered }) {
        if (exchangeAnswered(reply[0]) !== exchange) return reply;
        const request = delivered.findLast((carried) => carried.device === device)!.frame;
        expect(devices.get(device)!.client.receive(request)).toEqual(reply);
        compared++;
        return reply;
      },
    });
    expect(compared).toBe(4);
    expect(session.server.stage).toBe("done");
  });

  test.each(EXCHANGES.slice(1))("aborts when the request of %s is repeated with another byte", (exchange) => {
    const session = createTestSession({ size: 4 });
    runSession(session, {
      up(device, reply, { devices, delivered }) {
        if (device !== deviceName(1) || exchangeAnswered(reply[0]) !== exchange) return reply;
        const request = delivered.findLast((carried) => carried.device === device)!.frame;
        const { client } = devices.get(device)!;
        const [abort] = client.receive(changed(request, -1));
        expect(frameType(abort)).toBe(FRAME_TYPES.abort);
        expect(client.outcome).toMatchObject({ kind: "aborted", code: "changed-message" });
        expect(client.receive(request)).toEqual([]);
        return [abort];
      },
    });
  });

  test("sends nothing when its journal cannot be written", () => {
    const journal = {
      recordUpload() {
        throw new Error("the disk is full");
      },
    };
    const session = createTestSession({ size: 3, device: (i) => (i === 1 ? { journal } : {}) });
    let sent = 0;
    expect(() =>
      runSession(session, {
        up(device, reply) {
          if (device === deviceName(1) && exchangeAnswered(reply[0]) === "mask") sent++;
          return reply;
        },
      }),
    ).toThrow("the disk is full");
    expect(sent).toBe(0);
    expect(session.devices.get(deviceName(1))!.client.phase).toBe("aborted");
  });

  test("has written its journal before its upload leaves", () => {
    const session = createTestSession({ size: 3 });
    runSession(session, {
      up(device, reply, { devices }) {
        const uploads = devices.get(device)!.uploads.length;
        expect(uploads).toBe(["keys", "shares"].includes(exchangeAnswered(reply[0])!) ? 0 : 1);
        return reply;
      },
    });
  });

  test.each([
    [5, 1_000, 20],
    [26, 100_000, 23],
    [70, 999, 16],
  ])("sends no more bytes than promised, n = %i, d = %i, b = %i", (size, dimension, bits) => {
    const provider = sharedVerification(nodeProvider);
    const session = createTestSession({
      size,
      agreement: { dimension, bits },
      certified: true,
      provider: () => provider,
    });
    runSession(session);
    const { degree } = session.server.parameters!;
    const vector = packedLength(dimension, bits);
    const promised = vector + 128 * (degree + 1) + 768 + 96 * Math.ceil(vector / 2 ** 20);
    for (const device of session.devices.keys()) {
      const frames = session.delivered.filter((carried) => carried.device === device && carried.direction === "up");
      const sent = frames.reduce((sum, { frame }) => sum + frame.length, 0);
      expect(sent).toBeLessThanOrEqual(promised);
    }
  });
});

describe("the coordinator", () => {
  test("discards what strangers send, unread", () => {
    const session = createTestSession({ size: 4 });
    const stranger = "stranger" as DeviceId;
    runSession(session, {
      up(_, reply, { server }) {
        expect(server.receive(stranger, reply[0])).toEqual({ send: [], dropped: [] });
        expect(server.leave(stranger, "disconnected")).toEqual({ send: [], dropped: [] });
        return reply;
      },
    });
    expect(session.server.result!.survivors).toHaveLength(4);
    expect(session.dropped).toEqual([]);
  });

  test("discards an upload that comes after the survivors are listed", () => {
    const session = createTestSession({ size: 5 });
    let held: readonly Uint8Array[] = [];
    runSession(session, {
      up(device, reply, { server }) {
        const exchange = exchangeAnswered(reply[0]);
        if (device === deviceName(3) && exchange === "mask") {
          held = reply;
          return [];
        }
        if (exchange === "confirm") expect(server.receive(deviceName(3), held[0])).toEqual({ send: [], dropped: [] });
        return reply;
      },
    });
    const { survivors, sum } = session.server.result!;
    expect(survivors).not.toContain(deviceName(3));
    expect(sum).toEqual(plainSum(session, survivors));
  });

  test("finishes the round of a device whose boxes do not open, and names it with each holder", () => {
    const session = createTestSession({ size: 7 });
    runSession(session, {
      // One holder of device 2's shares gets a garbled box; boxes come last in SHARES_FWD.
      down: (device, frame) =>
        device === deviceName(4) && frameType(frame) === FRAME_TYPES.sharesForward ? [changed(frame, -1)] : [frame],
    });
    const { sum, survivors } = session.server.result!;
    expect(survivors).toHaveLength(7);
    expect(sum).toEqual(plainSum(session, survivors));
    expect(session.server.suspects).toHaveLength(1);
    expect(session.server.suspects[0].holder).toBe(deviceName(4));
  });

  test("corrects a wrong share, and names dealer and holder", () => {
    // n = 13: t = 9, so 12 shares bear one wrong one.
    const session = createTestSession({ size: 13 });
    runSession(session, {
      up: (device, reply) =>
        device === deviceName(6) && exchangeAnswered(reply[0]) === "unmask"
          ? [changed(reply[0], HEADER_BYTES + 1)]
          : reply,
    });
    const { sum, survivors } = session.server.result!;
    expect(sum).toEqual(plainSum(session, survivors));
    expect(session.server.suspects).toEqual([{ dealer: expect.any(String), holder: deviceName(6) }]);
  });

  test("opens nothing when more shares are wrong than can be corrected, and names whom it may have been", () => {
    const session = createTestSession({ size: 5 });
    runSession(session, {
      up: (device, reply) =>
        device === deviceName(0) && exchangeAnswered(reply[0]) === "unmask"
          ? [changed(reply[0], HEADER_BYTES + 1)]
          : reply,
    });
    expect(session.server.result).toBeUndefined();
    expect(session.server.abandoned).toMatchObject({ reason: "bad-shares", need: 3 });
    expect(session.server.abandoned!.detail).toContain(deviceName(0));
  });

  test("lists no survivors when some secret cannot be rebuilt", () => {
    const plan = new Map<DeviceId, Vanishing>([0, 1].map((i) => [deviceName(i), { exchange: "mask", when: "before" }]));
    const session = runSession(createTestSession({ size: 5 }), vanishing(plan));
    expect(session.server.abandoned).toMatchObject({ reason: "too-few-shares", have: 2, need: 3 });
    expect(session.delivered.some(({ frame }) => frameType(frame) === FRAME_TYPES.survivors)).toBe(false);
  });

  test("abandons the round when an arc of the ring is gone, before anyone uploads", () => {
    const provider = sharedVerification(nodeProvider);
    const session = createTestSession({ size: 70, provider: () => provider });
    runSession(session, {
      // n = 70: k = 18, t = 11. The neighbours beside eight missing places have ten left.
      up(_, reply) {
        const index = (reply[0][56] << 8) | reply[0][57];
        return exchangeAnswered(reply[0]) === "shares" && index >= 30 && index < 38 ? [] : reply;
      },
    });
    expect(session.server.abandoned).toMatchObject({ reason: "too-few-shares", have: 10, need: 11 });
    expect(session.delivered.some(({ frame }) => exchangeAnswered(frame) === "mask")).toBe(false);
  });

  test("makes no claim at active-server without an authority", () => {
    expect(() => createTestSession({ size: 3, agreement: { level: "active-server" } })).toThrow(/authority/);
  });
});

describe("the plaintext mode", () => {
  const agreement = testAgreement({ mode: "plaintext", dimension: 4 });
  const inputs = [Int32Array.of(1, -2, 3, 0), Int32Array.of(10, 20, -30, 40), Int32Array.of(-1, -1, -1, -1)];
  const open = (allowPlaintext: boolean) => {
    const clients = inputs.map((input) => {
      const key = nodeProvider.generateEd25519();
      return createPlaintextClient({
        provider: nodeProvider,
        agreement,
        identity: { publicKey: key.publicKey, sign: key.sign },
        policy: testPolicy({ allowPlaintext }),
        input,
        journal: { recordUpload() {} },
        nowSeconds: NOW_SECONDS,
      });
    });
    const server = createPlaintextServer({
      provider: nodeProvider,
      agreement,
      nowSeconds: NOW_SECONDS,
      invited: inputs.map((_, i) => deviceName(i)),
      quorum: 3,
    });
    return { clients, server };
  };

  test("adds the updates up as they are", () => {
    const { clients, server } = open(true);
    for (const [i, client] of clients.entries()) {
      for (const frame of client.start()) server.receive(deviceName(i), frame);
    }
    expect(server.waitingFor.size).toBe(0);
    const { send } = server.closeStage();
    expect([...server.result!.sum]).toEqual([10, 17, -28, 39]);
    for (const { to, frame } of send) clients[Number(to.slice(2))].receive(frame);
    for (const client of clients) expect(client.outcome).toMatchObject({ kind: "done", survivors: 3 });
  });

  test("is refused by a device whose policy does not allow it", () => {
    const { clients } = open(false);
    expect(clients[0].start().map(frameType)).toEqual([FRAME_TYPES.abort]);
    expect(clients[0].outcome).toMatchObject({ kind: "aborted", code: "policy" });
  });

  test("is abandoned below its quorum", () => {
    const { clients, server } = open(true);
    for (const frame of clients[0].start()) server.receive(deviceName(0), frame);
    expect(server.closeStage().dropped).toHaveLength(2);
    expect(server.abandoned).toMatchObject({ reason: "below-quorum", have: 1, need: 3 });
  });
});
