import { describe, expect, test } from "vitest";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { nodeProvider, portableProvider } from "../shared/crypto/providers.ts";
import {
  createTestSession,
  deviceName,
  EXCHANGES,
  plainSum,
  runSession,
  sharedVerification,
  type TestSession,
  type Vanishing,
  vanishing,
} from "./session-harness.ts";

function expectExact(session: TestSession, survivors: readonly DeviceId[]): void {
  expect(session.server.abandoned).toBeUndefined();
  const result = session.server.result!;
  expect([...result.survivors].sort()).toEqual([...survivors].sort());
  expectEqualVectors(result.sum, plainSum(session, survivors));
}

/** `toEqual` takes seconds for a million coordinates; it is left to say what differs. */
function expectEqualVectors(actual: Int32Array, expected: Int32Array): void {
  if (Buffer.from(actual.buffer).equals(Buffer.from(expected.buffer))) return;
  expect(actual).toEqual(expected);
}

function everyoneBut(size: number, gone: Iterable<number> = []): DeviceId[] {
  const missing = new Set(gone);
  return Array.from({ length: size }, (_, i) => i)
    .filter((i) => !missing.has(i))
    .map(deviceName);
}

describe("a session in which nobody drops out gives the sum of all inputs, bit for bit", () => {
  test.each([3, 5, 26])("n = %i, complete graph", (size) => {
    const session = runSession(createTestSession({ size }));
    expectExact(session, everyoneBut(size));
    for (const { client, uploads } of session.devices.values()) {
      expect(client.outcome).toEqual({
        kind: "done",
        resultHash: session.server.result!.resultHash,
        survivors: size,
      });
      expect(uploads).toEqual([session.agreement.roundId]);
    }
  });

  test("n = 100, placement-proof Harary graph", () => {
    const provider = sharedVerification(nodeProvider);
    const session = runSession(createTestSession({ size: 100, provider: () => provider }));
    expect(session.server.parameters).toMatchObject({ graph: "harary", degree: 26, threshold: 16, claim: "active" });
    expectExact(session, everyoneBut(100));
  });

  test("devices on either crypto provider, and a coordinator on either", () => {
    for (const serverProvider of [nodeProvider, portableProvider]) {
      const provider = (i: number) => (i % 2 === 0 ? nodeProvider : portableProvider);
      expectExact(runSession(createTestSession({ size: 4, provider, serverProvider })), everyoneBut(4));
    }
  });

  test("an authority certifies every device", () => {
    expectExact(runSession(createTestSession({ size: 5, certified: true })), everyoneBut(5));
  });

  test.each([
    [8, 1],
    [16, 8],
    [17, 9],
    [23, 1001],
    [32, 64],
  ])("a ring of %i bits and %i coordinates", (bits, dimension) => {
    const agreement = { bits, dimension, levels: Math.min(127, 2 ** (bits - 1) - 1), maxCohort: 4 };
    // 4 · 31 = 124 fits even the ring of 8 bits.
    const session = createTestSession({ size: 4, agreement: { ...agreement, levels: 31 } });
    expectExact(runSession(session), everyoneBut(4));
  });

  test("an upload of several chunks, the last of them short", () => {
    const agreement = { bits: 32, dimension: 2 ** 19 + 5, maxCohort: 3 };
    const session = runSession(createTestSession({ size: 3, agreement }));
    expectExact(session, everyoneBut(3));
  });

  test("answers may arrive in any order", () => {
    const random = seededRandom(5, "order");
    const order = (devices: DeviceId[]) =>
      devices
        .map((device) => ({ device, key: random.uint32() }))
        .sort((a, b) => a.key - b.key)
        .map(({ device }) => device);
    expectExact(runSession(createTestSession({ size: 9 }), { order }), everyoneBut(9));
  });

  test("all inputs at either end of their range", () => {
    for (const sign of [1, -1]) {
      const input = (_: number, { dimension, levels }: { dimension: number; levels: number }) =>
        new Int32Array(dimension).fill(sign * levels);
      const session = runSession(createTestSession({ size: 8, agreement: { bits: 11, maxCohort: 8 }, input }));
      expectExact(session, everyoneBut(8));
      expect(session.server.result!.sum[0]).toBe(sign * 8 * 127);
    }
  });
});

describe("drop-outs", () => {
  test("different devices vanish at different exchanges, n = 26", () => {
    const plan = new Map<DeviceId, Vanishing>([
      [deviceName(0), { exchange: "keys", when: "before" }],
      [deviceName(1), { exchange: "keys", when: "after" }],
      [deviceName(2), { exchange: "shares", when: "before" }],
      [deviceName(3), { exchange: "shares", when: "after" }],
      [deviceName(4), { exchange: "mask", when: "before" }],
      [deviceName(5), { exchange: "mask", when: "after" }],
      [deviceName(6), { exchange: "confirm", when: "before" }],
      [deviceName(7), { exchange: "confirm", when: "after" }],
      [deviceName(8), { exchange: "unmask", when: "before" }],
    ]);
    const session = runSession(createTestSession({ size: 26 }), vanishing(plan));
    expectExact(session, everyoneBut(26, [0, 1, 2, 3, 4]));
    expect(session.dropped.map(({ device }) => device).sort()).toEqual([...plan.keys()].sort());
  });

  test("random ones for 100 devices, within what the graph tolerates", () => {
    const random = seededRandom(11, "drop-outs");
    const provider = sharedVerification(nodeProvider);
    for (let trial = 0; trial < 2; trial++) {
      const plan = new Map<DeviceId, Vanishing>();
      while (plan.size < 10) {
        const exchange = EXCHANGES[random.uint32() % EXCHANGES.length];
        plan.set(deviceName(random.uint32() % 100), { exchange, when: random.uint32() % 2 ? "before" : "after" });
      }
      const session = runSession(
        createTestSession({ size: 100, seed: trial, provider: () => provider }),
        vanishing(plan),
      );
      const absent = [...plan].filter(
        ([, { exchange, when }]) =>
          exchange === "keys" || exchange === "shares" || (exchange === "mask" && when === "before"),
      );
      const missing = new Set(absent.map(([device]) => device));
      expectExact(
        session,
        everyoneBut(100).filter((device) => !missing.has(device)),
      );
    }
  });

  test("half an upload is not in the sum", () => {
    const agreement = { bits: 32, dimension: 2 ** 18 + 9, maxCohort: 5 };
    const session = runSession(createTestSession({ size: 5, agreement }), {
      up: (device, reply) => (device === deviceName(2) && reply.length > 1 ? reply.slice(0, 1) : reply),
    });
    expectExact(session, everyoneBut(5, [2]));
    expect(session.dropped).toEqual([{ device: deviceName(2), reason: "deadline" }]);
  });
});
