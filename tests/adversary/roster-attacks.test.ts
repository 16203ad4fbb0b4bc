import { describe, expect, test } from "vitest";
import { toHex } from "../../shared/crypto/bytes.ts";
import type { Ed25519Key } from "../../shared/crypto/provider.ts";
import { contextHash, type SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { encodeCertificate, issueCertificate } from "../../shared/secagg/certificates.ts";
import { advertisedMessage } from "../../shared/secagg/key-schedule.ts";
import { decodeRoster, encodeRoster } from "../../shared/secagg/messages/exchanges.ts";
import type { RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { deviceName, NOW_SECONDS, plainSum, runSession } from "../secagg/session-harness.ts";
import { smallOrderPoints } from "../shared/crypto/providers.ts";
import {
  type AttackedSession,
  type AttackedSessionOptions,
  attackedSession,
  bodyOf,
  ending,
  quickProvider,
  reframe,
  sentBy,
  tamper,
} from "./fixture.ts";
import { compareEntries, sealedPeers } from "./roster-views.ts";

const VICTIM = deviceName(0);

type Attack = (entries: RosterEntry[], session: AttackedSession) => RosterEntry[] | Uint8Array;

/** Shows one device another roster than the true one; the others see the true one. */
function show(attack: Attack, options: Partial<AttackedSessionOptions> = {}): AttackedSession {
  const session = attackedSession({ size: 5, ...options });
  const carriage = tamper(
    "roster",
    (frame) => {
      const { entries, graphSeed } = decodeRoster(bodyOf(frame), 0xffff);
      const shown = attack([...entries], session);
      return reframe(frame, shown instanceof Uint8Array ? shown : encodeRoster({ entries: shown, graphSeed }));
    },
    VICTIM,
  );
  runSession(session, carriage);
  return session;
}

/** An entry as its owner would make it: every key in it is the attacker's. */
function signedEntry(
  agreement: SecAggAgreement,
  identity: Ed25519Key,
  changes: Partial<Pick<RosterEntry, "channelKey" | "maskKey" | "certificate">> = {},
): RosterEntry {
  const channelKey = changes.channelKey ?? quickProvider.generateX25519().publicKey;
  const maskKey = changes.maskKey ?? quickProvider.generateX25519().publicKey;
  const context = contextHash(quickProvider, agreement);
  return {
    idPk: identity.publicKey,
    certificate: changes.certificate ?? new Uint8Array(0),
    channelKey,
    maskKey,
    signature: identity.sign(advertisedMessage(context, channelKey, maskKey)),
  };
}

const own = ({ indices }: AttackedSession) => indices[0];
/** A device that the coordinator controls: number 1. */
const corrupted = ({ indices }: AttackedSession) => indices[1];

function replaced(entries: RosterEntry[], index: number, changes: Partial<RosterEntry>): RosterEntry[] {
  return entries.map((entry, i) => (i === index ? { ...entry, ...changes } : entry));
}

/** The corrupted device advertises other keys, signed as they should be. */
function withCorruptedKeys(
  keys: (entries: RosterEntry[], session: AttackedSession) => Partial<Pick<RosterEntry, "channelKey" | "maskKey">>,
): Attack {
  return (entries, session) => {
    const entry = signedEntry(session.agreement, session.identities[1], keys(entries, session));
    return replaced(entries, corrupted(session), entry);
  };
}

function flipped(bytes: Uint8Array, at = 0): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

/** X25519 encodings of u ≥ p, of u with the top bit set. */
function nonCanonical(key: Uint8Array): Uint8Array {
  return key.map((byte, i) => (i === 31 ? byte | 0x80 : byte));
}

describe("a roster other than the true one makes the device abort before it shares a secret", () => {
  const attacks: [string, string, Attack][] = [
    ["fewer devices than its floor", "below-floor", (e, s) => e.filter((_, i) => i === own(s) || i === corrupted(s))],
    ["nobody", "below-floor", () => []],
    ["a device twice", "duplicate-device", (e, s) => [...e, e[corrupted(s)]].sort(compareEntries)],
    [
      "a device twice, with other keys",
      "duplicate-device",
      (e, s) => [...e, signedEntry(s.agreement, s.identities[1])].sort(compareEntries),
    ],
    ["itself twice", "duplicate-device", (e, s) => [...e, e[own(s)]].sort(compareEntries)],
    ["entries out of order", "malformed-message", (e) => [e[1], e[0], ...e.slice(2)]],
    ["itself absent", "own-entry", (e, s) => e.filter((_, i) => i !== own(s))],
    [
      "its own channel key replaced",
      "own-entry",
      (e, s) => replaced(e, own(s), { channelKey: quickProvider.generateX25519().publicKey }),
    ],
    ["its own signature altered", "own-entry", (e, s) => replaced(e, own(s), { signature: new Uint8Array(64) })],
    ["a certificate added to itself", "own-entry", (e, s) => replaced(e, own(s), { certificate: new Uint8Array(72) })],
    ["its own mask key as another's", "duplicate-key", withCorruptedKeys((e, s) => ({ maskKey: e[own(s)].maskKey }))],
    [
      "a third's channel key as another's mask key",
      "duplicate-key",
      withCorruptedKeys((e, s) => ({ maskKey: e[s.indices[2]].channelKey })),
    ],
    [
      "one key for channels and masks",
      "duplicate-key",
      withCorruptedKeys((e, s) => ({ channelKey: e[corrupted(s)].maskKey, maskKey: e[corrupted(s)].maskKey })),
    ],
    [
      "its own key as another's, in an encoding with the top bit set",
      "bad-key",
      withCorruptedKeys((e, s) => ({ channelKey: nonCanonical(e[own(s)].channelKey) })),
    ],
    [
      "a mask key with the top bit set",
      "bad-key",
      withCorruptedKeys((e, s) => ({ maskKey: nonCanonical(e[own(s)].maskKey) })),
    ],
    [
      "another's key replaced by the coordinator's own",
      "bad-signature",
      (e, s) => replaced(e, s.indices[2], { channelKey: quickProvider.generateX25519().publicKey }),
    ],
    [
      "another's signature altered",
      "bad-signature",
      (e, s) => replaced(e, s.indices[2], { signature: flipped(e[s.indices[2]].signature) }),
    ],
    [
      "an invented identity under another's keys",
      "bad-signature",
      (e, s) => replaced(e, corrupted(s), { idPk: quickProvider.generateEd25519().publicKey }).sort(compareEntries),
    ],
    [
      "keys that were signed for another model",
      "bad-signature",
      (e, s) =>
        replaced(e, corrupted(s), signedEntry({ ...s.agreement, modelHash: new Uint8Array(32) }, s.identities[1])),
    ],
    [
      "keys that were signed for another round",
      "bad-signature",
      (e, s) =>
        replaced(e, corrupted(s), signedEntry({ ...s.agreement, roundId: new Uint8Array(16) }, s.identities[1])),
    ],
    ["bytes after the last entry", "malformed-message", (e) => Uint8Array.of(...rosterBytes(e), 0)],
    ["half an entry", "malformed-message", (e) => rosterBytes(e).subarray(0, -90)],
    ["more entries announced than there are", "malformed-message", (e) => flipped(rosterBytes(e), 35)],
    [
      "an entry with a certificate of 71 bytes",
      "malformed-message",
      (e, s) => replaced(e, corrupted(s), { certificate: new Uint8Array(71) }),
    ],
  ];
  test.each(attacks)("%s: %s", (_, code, attack) => {
    const session = show(attack);
    expect(ending(session, VICTIM)).toBe(code);
    expect(sentBy(session, VICTIM, "shares")).toEqual([]);
  });

  function rosterBytes(entries: RosterEntry[]): Uint8Array {
    return encodeRoster({ entries, graphSeed: new Uint8Array(32) });
  }

  test.each(smallOrderPoints().x25519.map((point) => [toHex(point), point] as const))(
    "low-order key %s",
    (_, point) => {
      for (const keys of [{ channelKey: point }, { maskKey: point }]) {
        expect(ending(show(withCorruptedKeys(() => keys)), VICTIM)).toBe("bad-key");
      }
    },
  );

  test("an identity of small order, under which anything would verify", () => {
    const lists = smallOrderPoints();
    for (const idPk of [...lists.canonical, ...lists.nonCanonical]) {
      // R = the point at infinity or A itself, S = 0: [S]B = R + [k]A for many k when A has small order.
      const signature = new Uint8Array(64);
      signature[0] = 1;
      const session = show((entries, attacked) =>
        replaced(entries, corrupted(attacked), { idPk, signature }).sort(compareEntries),
      );
      expect(ending(session, VICTIM)).toBe("bad-signature");
    }
  });

  test("more devices than were agreed", () => {
    const session = show(
      (entries, { agreement }) =>
        [...entries, signedEntry(agreement, quickProvider.generateEd25519())].sort(compareEntries),
      { agreement: { maxCohort: 5 } },
    );
    expect(ending(session, VICTIM)).toBe("cohort-too-large");
  });

  test("too few devices for its least number of honest ones", () => {
    // n = 3 tolerates one corrupted device, so two honest inputs are certain.
    const session = show(
      (entries, s) => entries.filter((_, i) => i === own(s) || i === s.indices[1] || i === s.indices[2]),
      {
        agreement: { floors: { minCohort: 3, minHonest: 3 } },
        policy: { minHonest: 3 },
      },
    );
    expect(ending(session, VICTIM)).toBe("below-floor");
  });

  test("a cohort for which no graph bears the device's fractions", () => {
    // δ = 0.3: of five devices one may drop out, which the complete graph over five bears.
    const session = attackedSession({ size: 5, agreement: { dropout: 0.3 }, policy: { dropout: 0.3 } });
    runSession(
      session,
      tamper(
        "roster",
        (frame) => {
          const { entries, graphSeed } = decodeRoster(bodyOf(frame), 0xffff);
          // Of four devices one may drop out, and the complete graph over four bears none.
          return reframe(
            frame,
            encodeRoster({ entries: entries.filter((_, i) => i !== session.indices[1]), graphSeed }),
          );
        },
        VICTIM,
      ),
    );
    expect(ending(session, VICTIM)).toBe("no-parameters");
  });
});

describe("a roster frame that is not this round's request", () => {
  const frames: [string, string, Parameters<typeof reframe>[2]][] = [
    ["of another round", "context-mismatch", { roundId: new Uint8Array(16) }],
    ["bound to another agreement", "context-mismatch", { binding: new Uint8Array(32) }],
    ["sent by a device", "malformed-message", { sender: 1 }],
    ["as a later piece of a message", "malformed-message", { sequence: 1 }],
    ["with flags", "malformed-message", { flags: 1 }],
  ];
  test.each(frames)("%s: %s", (_, code, header) => {
    const session = attackedSession({ size: 3 });
    runSession(
      session,
      tamper("roster", (frame) => reframe(frame, undefined, header), VICTIM),
    );
    expect(ending(session, VICTIM)).toBe(code);
  });
});

describe("invented devices", () => {
  function inventing(certificate: (session: AttackedSession, idPk: Uint8Array) => Uint8Array): Attack {
    return (entries, session) => {
      const invented = quickProvider.generateEd25519();
      const entry = signedEntry(session.agreement, invented, { certificate: certificate(session, invented.publicKey) });
      return [...entries, entry].sort(compareEntries);
    };
  }
  const issue = (authority: Ed25519Key, population: string, idPk: Uint8Array, expiry: number) =>
    encodeCertificate(issueCertificate(authority, population, idPk, expiry));
  const later = NOW_SECONDS + 60;

  const forged: [string, string, (session: AttackedSession, idPk: Uint8Array) => Uint8Array][] = [
    ["without a certificate", "bad-certificate", () => new Uint8Array(0)],
    [
      "certified by another authority",
      "bad-certificate",
      (_, id) => issue(quickProvider.generateEd25519(), "test", id, later),
    ],
    ["certified for another population", "bad-certificate", (s, id) => issue(s.authority!, "elsewhere", id, later)],
    ["whose certificate has expired", "bad-certificate", (s, id) => issue(s.authority!, "test", id, NOW_SECONDS)],
    [
      "with another device's certificate",
      "bad-certificate",
      (s) => issue(s.authority!, "test", s.identities[1].publicKey, later),
    ],
    [
      "whose expired certificate was given a later date",
      "bad-certificate",
      (s, id) => encodeCertificate({ ...issueCertificate(s.authority!, "test", id, NOW_SECONDS - 1), expiry: later }),
    ],
    ["with an expiry that is no number", "malformed-message", () => new Uint8Array(72).fill(0xff)],
  ];
  test.each(forged)("%s: refused at active-server (%s)", (_, code, certificate) => {
    expect(ending(show(inventing(certificate), { certified: true }), VICTIM)).toBe(code);
  });

  test("the authority's own certificate is accepted", () => {
    const session = show(
      inventing((s, id) => issue(s.authority!, "test", id, later)),
      { certified: true, agreement: { maxCohort: 6 } },
    );
    // The victim alone sees six devices, so it is in a session of its own: it shares, and its frame fits no other session.
    expect(sentBy(session, VICTIM, "shares")).toHaveLength(1);
    expect(session.dropped).toContainEqual(expect.objectContaining({ device: VICTIM, reason: "malformed" }));
  });

  test("at curious-server nothing tells an invented device from a real one, which is why that level claims nothing of it", () => {
    const session = show(inventing(() => new Uint8Array(0)));
    expect(sentBy(session, VICTIM, "shares")).toHaveLength(1);
  });
});

describe("two groups that are shown different rosters", () => {
  test("derive different sessions: no box, signature or mask of the one is good in the other", () => {
    const { leftSid, rightSid, opened } = sealedPeers();
    expect(leftSid).not.toEqual(rightSid);
    // Those of the other two in its own group; none of the three from the other.
    expect(opened).toBe(2);
  });

  test("a device with a session of its own is dropped, and the others' sum is exact", () => {
    const session = attackedSession({ size: 5 });
    runSession(
      session,
      tamper(
        "roster",
        (frame) => {
          const { entries } = decodeRoster(bodyOf(frame), 0xffff);
          return reframe(frame, encodeRoster({ entries, graphSeed: new Uint8Array(32).fill(1) }));
        },
        VICTIM,
      ),
    );
    expect(session.dropped).toContainEqual(expect.objectContaining({ device: VICTIM, reason: "malformed" }));
    expect(session.server.result?.sum).toEqual(plainSum(session, [1, 2, 3, 4].map(deviceName)));
  });
});
