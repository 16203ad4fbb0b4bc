import { describe, expect, test } from "vitest";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { DropReason } from "../../shared/protocol/reasons.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { advertisedMessage, sharedMessage } from "../../shared/secagg/key-schedule.ts";
import {
  BOX_BYTES,
  decodeShares,
  decodeUnmask,
  encodeShares,
  encodeUnmask,
  type UnmaskShare,
} from "../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, encodeRosterEntry, type RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { type Carriage, deviceName, plainSum, runSession } from "../secagg/session-harness.ts";
import { smallOrderPoints } from "../shared/crypto/providers.ts";
import {
  type AttackedSession,
  type AttackedSessionOptions,
  attackedSession,
  bodyOf,
  cheat,
  isType,
  quickProvider,
  reframe,
} from "./fixture.ts";

const CHEAT = deviceName(1);
const HONEST = [0, 2, 3, 4].map(deviceName);

function run(carriage: (session: AttackedSession) => Carriage, options: Partial<AttackedSessionOptions> = {}) {
  const session = attackedSession({ size: 5, ...options });
  runSession(session, carriage(session));
  return session;
}

function expectDropped(session: AttackedSession, device: DeviceId, reason: DropReason): void {
  expect(session.dropped.filter((entry) => entry.device === device)).toMatchObject([{ reason }]);
}

function expectSumOf(session: AttackedSession, devices: Iterable<DeviceId>): void {
  expect(session.server.abandoned).toBeUndefined();
  expect(session.server.result?.sum).toEqual(plainSum(session, devices));
}

describe("a device that misbehaves before the survivors are closed is dropped, and the others' sum is exact", () => {
  type Forgery = (body: Uint8Array, session: AttackedSession) => Uint8Array;

  function entry(change: (entry: RosterEntry, session: AttackedSession) => Partial<RosterEntry>): Forgery {
    return (body, session) => {
      const changed = { ...decodeRosterEntry(body), ...change(decodeRosterEntry(body), session) };
      const context = contextHash(quickProvider, session.agreement);
      const message = advertisedMessage(context, changed.channelKey, changed.maskKey);
      return encodeRosterEntry({ ...changed, signature: session.identities[1].sign(message) });
    };
  }
  const [lowOrder] = smallOrderPoints().x25519;
  const longer: Forgery = (body) => Uint8Array.of(...body, 0);
  const shorter: Forgery = (body) => body.subarray(0, -1);
  const empty: Forgery = () => new Uint8Array(0);
  const unsigned: Forgery = (body) => body.map((byte, i) => (i === body.length - 1 ? byte ^ 1 : byte));

  const forgeries: ["advertise" | "shares" | "masked", string, DropReason, Forgery][] = [
    ["advertise", "a byte too many", "malformed", longer],
    ["advertise", "a byte too few", "malformed", shorter],
    ["advertise", "nothing", "malformed", empty],
    ["advertise", "a wrong signature", "bad-signature", unsigned],
    ["advertise", "one key twice", "bad-key", entry(({ maskKey }) => ({ channelKey: maskKey }))],
    ["advertise", "a key of low order", "bad-key", entry(() => ({ channelKey: lowOrder }))],
    [
      "advertise",
      "a key with the top bit set",
      "bad-key",
      entry(({ maskKey }) => ({ maskKey: maskKey.map((byte, i) => (i === 31 ? byte | 0x80 : byte)) })),
    ],
    [
      "advertise",
      "another device's key",
      "bad-key",
      entry((_, { delivered }) => ({ channelKey: decodeRosterEntry(bodyOf(delivered[0].frame)).maskKey })),
    ],
    [
      "advertise",
      "another device's identity",
      "bad-key",
      entry((_, { delivered }) => ({ idPk: decodeRosterEntry(bodyOf(delivered[0].frame)).idPk })),
    ],
    ["advertise", "another device's whole entry", "bad-key", (_, { delivered }) => bodyOf(delivered[0].frame)],
    ["shares", "a box too many", "malformed", (body) => Uint8Array.of(...body.subarray(0, BOX_BYTES), ...body)],
    ["shares", "a box too few", "malformed", (body) => body.subarray(BOX_BYTES)],
    ["shares", "nothing", "malformed", empty],
    ["shares", "a wrong signature", "bad-signature", unsigned],
    [
      "shares",
      "a commitment that is not signed",
      "bad-signature",
      (body) => body.map((b, i) => (i === 320 ? b ^ 1 : b)),
    ],
    ["masked", "a coordinate too many", "oversize", longer],
    ["masked", "a coordinate too few", "malformed", shorter],
    ["masked", "nothing", "malformed", empty],
    ["masked", "a vector of another ring", "oversize", (body) => new Uint8Array((body.length * 32) / 20)],
    ["masked", "a gigantic vector", "oversize", () => new Uint8Array(4 << 20)],
  ];
  test.each(forgeries)("%s with %s: %s", (type, _, reason, forgery) => {
    const session = attackedSession({ size: 5 });
    // Frames of devices 0 arrive first, so that there is something to copy.
    runSession(session, cheatLazily(session, type, forgery));
    expectDropped(session, CHEAT, reason);
    expectSumOf(session, HONEST);
  });

  /** As {@link cheat}, but the forgery is made when the frame is about to arrive, so that earlier ones can be copied. */
  function cheatLazily(session: AttackedSession, type: "advertise" | "shares" | "masked", forgery: Forgery): Carriage {
    if (type !== "advertise") return cheat(type, CHEAT, (frame) => reframe(frame, forgery(bodyOf(frame), session)));
    let first: Uint8Array | undefined;
    return {
      up(device, reply) {
        if (!isType(reply[0], "advertise")) return reply;
        first ??= reply[0];
        if (device !== CHEAT) return reply;
        const copied = { ...session, delivered: [{ device: HONEST[0], direction: "up" as const, frame: first }] };
        return [reframe(reply[0], forgery(bodyOf(reply[0]), copied))];
      },
    };
  }

  test("at active-server, without a certificate, or with another's: bad-signature", () => {
    for (const certificate of ["none", "another's"] as const) {
      const forgery = entry((_, { delivered }) => ({
        certificate:
          certificate === "none" ? new Uint8Array(0) : decodeRosterEntry(bodyOf(delivered[0].frame)).certificate,
      }));
      const session = attackedSession({ size: 5, certified: true });
      runSession(session, cheatLazily(session, "advertise", forgery));
      expectDropped(session, CHEAT, "bad-signature");
      expectSumOf(session, HONEST);
    }
  });

  test("frames in another's name, of another round or session, of the wrong kind, or that are none", () => {
    const frames: ((frame: Uint8Array, session: AttackedSession) => Uint8Array)[] = [
      (frame, { indices }) => reframe(frame, undefined, { sender: indices[0] }),
      (frame) => reframe(frame, undefined, { roundId: new Uint8Array(16) }),
      (frame) => reframe(frame, undefined, { binding: new Uint8Array(32) }),
      (frame) => reframe(frame, undefined, { type: 22 }),
      (frame) => reframe(frame, undefined, { sequence: 1 }),
      (frame) => frame.subarray(0, 40),
      () => new Uint8Array(0),
    ];
    for (const forgery of frames) {
      const session = run((attacked) => cheat("masked", CHEAT, (frame) => forgery(frame, attacked)));
      expectDropped(session, CHEAT, "malformed");
      expectSumOf(session, HONEST);
    }
  });

  test("a second, other upload takes nothing back: the device is dropped, its first upload stays in the sum", () => {
    const session = run(() =>
      cheat("masked", CHEAT, (frame) => [frame, reframe(frame, new Uint8Array(bodyOf(frame).length))]),
    );
    expectDropped(session, CHEAT, "duplicate");
    expectSumOf(session, [...HONEST, CHEAT]);
  });

  test("a second set of keys or shares: duplicate", () => {
    for (const type of ["advertise", "shares"] as const) {
      const session = run(() => cheat(type, CHEAT, (frame) => [frame, frame]));
      expectDropped(session, CHEAT, "duplicate");
      expectSumOf(session, HONEST);
    }
  });
});

describe("boxes", () => {
  /** A dealer whose boxes for these of its neighbours (by rank) cannot be opened, or hold wrong shares. */
  function dealer(spoiled: readonly number[], how: "garbage" | "wrong shares"): Partial<AttackedSessionOptions> {
    return {
      provider: (device) => {
        if (device !== 1) return quickProvider;
        let sealed = 0;
        const cheating: CryptoProvider = {
          ...quickProvider,
          seal(key, nonce, plaintext, context) {
            if (!spoiled.includes(sealed++)) return quickProvider.seal(key, nonce, plaintext, context);
            if (how === "garbage") return quickProvider.random.bytes(BOX_BYTES);
            return quickProvider.seal(
              key,
              nonce,
              plaintext.map((byte) => byte ^ 0xff),
              context,
            );
          },
        };
        return cheating;
      },
    };
  }

  test("one that does not open: the round completes, the pair is named, and no other", () => {
    const session = run(() => ({}), dealer([0], "garbage"));
    expectSumOf(session, session.devices.keys());
    expect(session.server.suspects).toEqual([{ dealer: CHEAT, holder: holderOf(session, 0) }]);
  });

  test("none of them opens: the round ends unopened, and says whose shares are missing", () => {
    for (const spoiled of [
      [0, 1, 2, 3],
      [0, 1],
    ]) {
      const session = run(() => ({}), dealer(spoiled, "garbage"));
      expect(session.server.result).toBeUndefined();
      expect(session.server.abandoned).toMatchObject({ reason: "too-few-shares", have: 4 - spoiled.length, need: 3 });
      expect(session.server.abandoned?.detail).toContain(CHEAT);
    }
  });

  test("wrong shares from a dealer are corrected up to the bound, and each pair is named", () => {
    // n = 9: k = 8, t = 6, so one wrong share among eight can be corrected, and two cannot.
    const session = run(() => ({}), { size: 9, ...dealer([3], "wrong shares") });
    expectSumOf(session, session.devices.keys());
    expect(session.server.suspects).toEqual([{ dealer: CHEAT, holder: holderOf(session, 3) }]);

    const beyond = run(() => ({}), { size: 9, ...dealer([3, 5], "wrong shares") });
    expect(beyond.server.result).toBeUndefined();
    expect(beyond.server.abandoned).toMatchObject({ reason: "bad-shares" });
    expect(beyond.server.abandoned?.detail).toContain(CHEAT);
  });

  test("a commitment to another seed, well signed: the round ends unopened with bad-shares", () => {
    const session = run((attacked) =>
      cheat("shares", CHEAT, (frame) => {
        const { boxes } = decodeShares(bodyOf(frame), 4);
        const commitment = new Uint8Array(32);
        const message = sharedMessage(quickProvider, frame.slice(24, 56), attacked.indices[1], boxes, commitment);
        return reframe(frame, encodeShares({ boxes, commitment, signature: attacked.identities[1].sign(message) }));
      }),
    );
    expect(session.server.result).toBeUndefined();
    expect(session.server.abandoned).toMatchObject({ reason: "bad-shares" });
  });

  /** The device that holds the cheating dealer's share of this rank. */
  function holderOf({ indices }: AttackedSession, rank: number): DeviceId {
    const others = indices.map((_, device) => device).filter((device) => device !== 1);
    return deviceName(others.sort((a, b) => indices[a] - indices[b])[rank]);
  }
});

describe("after the survivors are closed", () => {
  test("a wrong confirmation: dropped, and its upload stays in the sum", () => {
    const session = run(() => cheat("ack", CHEAT, (frame) => reframe(frame, new Uint8Array(64))));
    expectDropped(session, CHEAT, "bad-signature");
    expectSumOf(session, session.devices.keys());
  });

  const lies: [string, (shares: UnmaskShare[]) => Uint8Array][] = [
    ["a share too few", (shares) => encodeUnmask(shares.slice(1))],
    ["a share too many", (shares) => encodeUnmask([...shares, shares[0]])],
    ["shares of the other kind", (shares) => encodeUnmask(shares.map(({ value }) => ({ kind: "maskKey", value })))],
    ["no shares at all", () => new Uint8Array(0)],
    ["a kind of share that there is not", (shares) => encodeUnmask(shares).map((byte, i) => (i === 0 ? 7 : byte))],
  ];
  test.each(lies)("unmasking with %s: dropped, and the others' shares are enough", (_, lie) => {
    const session = run(() => cheat("unmask", CHEAT, (frame) => reframe(frame, lie(decodeUnmask(bodyOf(frame), 4)))));
    expectDropped(session, CHEAT, "malformed");
    expectSumOf(session, session.devices.keys());
  });

  /** Holders that give wrong shares of everything they hold. */
  function lyingHolders(size: number, count: number): AttackedSession {
    const liars = Array.from({ length: count }, (_, i) => deviceName(i));
    const lie = (frame: Uint8Array) => {
      const shares = decodeUnmask(bodyOf(frame), size - 1);
      return reframe(
        frame,
        encodeUnmask(shares.map(({ kind, value }) => ({ kind, value: value.map((byte) => byte ^ 0x5a) }))),
      );
    };
    return run(() => cheat("unmask", liars, lie), { size });
  }

  // Tolerated: ⌊(k − t)/2⌋ wrong holders of each secret. n = 9: k = 8, t = 6. n = 13: k = 12, t = 9. n = 16: k = 15, t = 11.
  test.each([
    [9, 1],
    [13, 1],
    [16, 2],
  ])(
    "n = %i: wrong shares of %i holders are corrected, every pair is named, and one holder more ends it unopened",
    (size, most) => {
      const session = lyingHolders(size, most);
      expectSumOf(session, session.devices.keys());
      expect(session.server.suspects).toHaveLength(most * (size - 1));
      expect(new Set(session.server.suspects.map(({ holder }) => holder)).size).toBe(most);

      const beyond = lyingHolders(size, most + 1);
      expect(beyond.server.result).toBeUndefined();
      expect(beyond.server.abandoned).toMatchObject({ reason: "bad-shares" });
      expect(beyond.server.abandoned?.detail).toMatch(/d-\d{3}.*d-\d{3}/);
      expect(beyond.delivered.some(({ frame }) => isType(frame, "done"))).toBe(false);
    },
  );
});

test("garbage that is well-formed ends up in the sum: validity of inputs is not claimed", () => {
  const session = run(() =>
    cheat("masked", CHEAT, (frame) => reframe(frame, quickProvider.random.bytes(bodyOf(frame).length))),
  );
  expect(session.server.abandoned).toBeUndefined();
  expect(session.server.result?.survivors).toContain(CHEAT);
  expect(session.server.result?.sum).not.toEqual(plainSum(session, session.devices.keys()));
});

test("a device that aborts, or says a code that there is not, is dropped alone", () => {
  for (const [code, reason] of [
    [17, "aborted"],
    [255, "malformed"],
  ] as const) {
    const session = run(() => cheat("shares", CHEAT, (frame) => reframe(frame, Uint8Array.of(code), { type: 25 })));
    expectDropped(session, CHEAT, reason);
    expectSumOf(session, HONEST);
  }
});
