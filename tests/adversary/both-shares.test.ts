import { describe, expect, test } from "vitest";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { decodeFrame } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { confirmedMessage, pairMaskKey, seedCommitment, selfMaskKey } from "../../shared/secagg/key-schedule.ts";
import { addMask, pairMaskSign } from "../../shared/secagg/masks.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { decodeShares, decodeUnmask, encodeAcks, type ShareKind } from "../../shared/secagg/messages/exchanges.ts";
import { createRingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { combineShares } from "../../shared/secagg/secret-sharing.ts";
import { clientOf, deviceName, plainSum, runSession } from "../secagg/session-harness.ts";
import {
  type AttackedSession,
  attackedSession,
  bodyOf,
  isType,
  quickProvider,
  reframe,
  rosterOf,
  sentBy,
} from "./fixture.ts";

const VICTIM = deviceName(0);

describe("both secrets of one device, from honest devices that are shown different lists of survivors", () => {
  // Complete graphs: n = 6: A = 2, t = 4. n = 9: A = 3, t = 6. n = 12: A = 4, t = 8.
  test.each([
    [6, 2, 4],
    [9, 3, 6],
    [12, 4, 8],
  ])(
    "n = %i, %i corrupted, threshold %i: whatever the split, one of the two stays hidden",
    (size, corrupted, threshold) => {
      const honest = size - 1 - corrupted;
      const kindsByDead: { seeds: number; maskKeys: number }[] = [];
      for (let dead = 0; dead <= honest; dead++) {
        kindsByDead.push(split(size, corrupted, dead));
      }
      for (const { seeds, maskKeys } of kindsByDead) {
        expect(seeds >= threshold && maskKeys >= threshold).toBe(false);
        expect(seeds + maskKeys).toBeLessThan(2 * threshold);
      }
      // Not for want of trying: shown one list, the honest devices do give enough for the one secret or the other.
      expect(kindsByDead[0].seeds).toBeGreaterThanOrEqual(threshold);
      expect(kindsByDead[honest].maskKeys).toBeGreaterThanOrEqual(threshold);
    },
  );

  /**
   * The devices 1 … A are corrupted: they sign anything, and show both shares they hold. Of the honest ones, `dead` are
   * told that device 0 dropped out and the others that it survived; each gets every signature there is for its list.
   */
  function split(size: number, corrupted: number, dead: number): { seeds: number; maskKeys: number } {
    const session = attackedSession({ size });
    const request = uploadedByAll(session);
    const everyone = Array.from({ length: size }, (_, i) => i);
    const views = everyone.map((device) => (device > corrupted && device <= corrupted + dead ? "dead" : "alive"));
    const bitmaps = {
      alive: encodeBitmap(everyone, size),
      dead: encodeBitmap(
        everyone.filter((index) => index !== session.indices[0]),
        size,
      ),
    };
    const honest = everyone.filter((device) => device === 0 || device > corrupted);
    const signatures = new Map<number, Uint8Array>();
    for (const device of honest) {
      const [ack] = clientOf(session, deviceName(device)).receive(reframe(request, bitmaps[views[device]]));
      expect(isType(ack, "ack")).toBe(true);
      signatures.set(device, bodyOf(ack));
    }
    const held = { seeds: corrupted, maskKeys: corrupted };
    for (const device of honest) {
      const view = views[device];
      const message = confirmedMessage(decodeFrame(request).header.binding, bitmaps.alive, bitmaps[view]);
      const signers = everyone.filter((signer) => {
        if (signer === device || (signer === 0 && view === "dead")) return false;
        return !honest.includes(signer) || views[signer] === view;
      });
      const confirmations = signers.map((signer) => ({
        index: session.indices[signer],
        signature: signatures.get(signer) ?? session.identities[signer].sign(message),
      }));
      const [reply] = clientOf(session, deviceName(device)).receive(
        reframe(request, encodeAcks({ confirmations }), { type: 23 }),
      );
      if (device === 0 || !isType(reply, "unmask")) continue;
      const kind = kindGiven(reply, size, session.indices[device], session.indices[0]);
      expect(kind).toBe(view === "dead" ? "maskKey" : "seed");
      if (kind === "seed") held.seeds++;
      else held.maskKeys++;
    }
    return held;
  }

  function kindGiven(unmask: Uint8Array, size: number, holder: number, owner: number): ShareKind {
    return decodeUnmask(bodyOf(unmask), size - 1)[owner < holder ? owner : owner - 1].kind;
  }
});

test("a false drop-out, then the late upload: it is discarded, and even kept aside it stays masked by b_u", () => {
  const drawn: Uint8Array[] = [];
  const watched: CryptoProvider = {
    ...quickProvider,
    random: {
      kind: "secure",
      bytes(length) {
        const bytes = quickProvider.random.bytes(length);
        drawn.push(bytes.slice());
        return bytes;
      },
    },
  };
  const dimension = 64;
  const session = attackedSession({
    size: 5,
    agreement: { dimension },
    provider: (device) => (device === 0 ? watched : quickProvider),
  });
  let late: readonly Uint8Array[] = [];
  runSession(session, {
    up(device, reply) {
      if (device !== VICTIM || !isType(reply[0], "masked")) return reply;
      late = reply;
      return [];
    },
    down(_, frame, { server }) {
      // It arrives when its stage has closed: discarded unread, nobody is asked for anything.
      if (isType(frame, "survivors")) expect(server.receive(VICTIM, late[0])).toEqual({ send: [], dropped: [] });
      return [frame];
    },
  });
  const others = [1, 2, 3, 4].map(deviceName);
  expect(session.server.result?.sum).toEqual(plainSum(session, others));

  // The coordinator kept it. It has enough shares of s_v; of b_v not one was given.
  const own = session.indices[0];
  const given = others.map((device) => {
    const holder = session.indices[Number(device.slice(2))];
    const share = decodeUnmask(bodyOf(sentBy(session, device, "unmask")[0]), 4)[own < holder ? own : own - 1];
    expect(share.kind).toBe("maskKey");
    return { slot: (holder < own ? holder : holder - 1) + 1, value: share.value };
  });
  const maskKey = quickProvider.importX25519(combineShares(given.slice(0, 3)));
  const entries = rosterOf(session);
  expect(maskKey.publicKey).toEqual(entries[own].maskKey);

  const shares = sentBy(session, VICTIM, "shares")[0];
  const sid = decodeFrame(shares).header.binding;
  const binding = { sid, bits: session.agreement.bits };
  const opened = createRingAccumulator(dimension, session.agreement.bits);
  opened.addPacked(bodyOf(late[0]));
  for (const device of others) {
    const peer = session.indices[Number(device.slice(2))];
    const key = pairMaskKey(quickProvider, binding, maskKey.agree(entries[peer].maskKey), own, peer);
    addMask(opened, quickProvider, key, pairMaskSign(own, peer) === 1 ? -1 : 1);
  }
  const input = session.devices.get(VICTIM as DeviceId)!.input;
  const seen = opened.toSignedSum();
  expect(seen.filter((value, i) => value === input[i]).length).toBeLessThan(3);

  // With b_v it would be open: what protects it is that nobody gave a share of it.
  const { commitment } = decodeShares(bodyOf(shares), 4);
  const seed = drawn.find(
    (bytes) => bytes.length === 32 && String(seedCommitment(quickProvider, sid, own, bytes)) === String(commitment),
  )!;
  addMask(opened, quickProvider, selfMaskKey(quickProvider, binding, seed, own), -1);
  expect(opened.toSignedSum()).toEqual(input);
  opened.dispose();
});

/** Runs a session until everyone has uploaded. The list of survivors, which nobody has seen yet. */
function uploadedByAll(session: AttackedSession): Uint8Array {
  let request: Uint8Array | undefined;
  runSession(session, {
    down(_, frame) {
      if (!isType(frame, "survivors")) return [frame];
      request = frame;
      return [];
    },
  });
  if (request === undefined) throw new Error("the survivors were not listed");
  return request;
}
