import { expect, test } from "vitest";
import { decodeFrame } from "../../shared/protocol/frame.ts";
import { sharingGraph } from "../../shared/secagg/graph.ts";
import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { BOX_BYTES, decodeUnmask, encodeAcks, encodeSharesForward } from "../../shared/secagg/messages/exchanges.ts";
import { clientOf, deviceName, runSession } from "../secagg/session-harness.ts";
import { attackedSession, bodyOf, ending, isType, reframe } from "./fixture.ts";

/**
 * On a sparse graph, confirmations of neighbours alone would not do. n = 100, k = 26, t = 16, five corrupted devices C:
 * the coordinator gives two victims, on either side of C, a shorter list of who shared (U2), so that a list of survivors
 * without ten devices Z can be confirmed to them by all sixteen neighbours they are left with. Everybody else is shown
 * that Z dropped out and the victims survived, and gives b of the victims and s of Z. With the other victim's share the
 * coordinator would have sixteen of each b, and the sum of two updates.
 *
 * So a confirmation covers U2 as well as U3, and a device wants a quorum of the whole roster.
 */
test("two victims with a list of sharers of their own are not split off from the sum", () => {
  const SIZE = 100;
  const at = (offset: number) => (offset + SIZE) % SIZE;
  const pairs = (...offsets: number[]) => offsets.flatMap((offset) => [at(offset), at(-offset)]);
  const graph = sharingGraph({ kind: "harary", size: SIZE, degree: 26, threshold: 16 });
  const corrupted = new Set([0, ...pairs(1, 2)]);
  const victims = new Set(pairs(3));
  const sacrificed = new Set(pairs(4, 6, 8, 9, 10));
  const omitted = new Set(pairs(5, 7, 11, 12, 13, 14, 15, 16));
  const everyone = Array.from({ length: SIZE }, (_, index) => index);
  const shortList = everyone.filter((index) => !omitted.has(index));
  const longList = everyone.filter((index) => !sacrificed.has(index));

  const session = attackedSession({ size: SIZE });
  const indexOf = (device: string) => session.indices[Number(device.slice(2))];
  const client = (index: number) => clientOf(session, deviceName(session.indices.indexOf(index)));

  let request: Uint8Array | undefined;
  runSession(session, {
    down(device, frame) {
      if (isType(frame, "survivors")) {
        request = frame;
        return [];
      }
      const index = indexOf(device);
      if (!isType(frame, "sharesForward") || !victims.has(index)) return [frame];
      const boxes = bodyOf(frame).subarray(Math.ceil(SIZE / 8));
      const left = graph
        .neighbours(index)
        .flatMap((neighbour, i) =>
          omitted.has(neighbour) ? [] : [...boxes.subarray(i * BOX_BYTES, (i + 1) * BOX_BYTES)],
        );
      const sharing = encodeBitmap(shortList, SIZE);
      return [reframe(frame, encodeSharesForward({ sharing, boxes: Uint8Array.from(left) }))];
    },
  });
  if (request === undefined) throw new Error("not everyone has uploaded");
  const survivors = request;
  const { sid } = { sid: decodeFrame(survivors).header.binding };

  /** What a device was shown: who shared, and who survived. */
  const view = (index: number) => {
    const isSplit = victims.has(index) || sacrificed.has(index);
    return {
      sharing: encodeBitmap(victims.has(index) ? shortList : everyone, SIZE),
      survivors: encodeBitmap(isSplit ? shortList : longList, SIZE),
    };
  };
  const honest = everyone.filter((index) => !corrupted.has(index));
  const signatures = new Map<number, Uint8Array>();
  for (const index of honest) {
    const [reply] = client(index).receive(reframe(survivors, view(index).survivors));
    expect(isType(reply, "ack")).toBe(true);
    signatures.set(index, bodyOf(reply));
  }
  // All sixteen neighbours that a victim knows of have confirmed its very list of survivors, or would: the old rule.
  for (const victim of victims) {
    const signers = graph
      .neighbours(victim)
      .filter((index) => corrupted.has(index) || String(view(index).survivors) === String(view(victim).survivors));
    expect(signers).toHaveLength(graph.threshold);
  }

  const seedsOf = new Map([...victims].map((victim) => [victim, 0]));
  for (const victim of victims) {
    seedsOf.set(victim, graph.neighbours(victim).filter((index) => corrupted.has(index)).length);
  }
  for (const index of honest) {
    const shown = view(index);
    const message = confirmedMessage(sid, shown.sharing, shown.survivors);
    const listed = new Set(victims.has(index) || sacrificed.has(index) ? shortList : longList);
    const confirmations = everyone
      .filter((signer) => signer !== index && listed.has(signer))
      .map((signer) => ({
        index: signer,
        signature: signatures.get(signer) ?? session.identities[session.indices.indexOf(signer)].sign(message),
      }));
    const [reply] = client(index).receive(reframe(survivors, encodeAcks({ confirmations }), { type: 23 }));
    if (!isType(reply, "unmask")) continue;
    const neighbours = graph.neighbours(index);
    for (const [i, { kind }] of decodeUnmask(bodyOf(reply), neighbours.length).entries()) {
      const seeds = seedsOf.get(neighbours[i]);
      if (seeds !== undefined && kind === "seed") seedsOf.set(neighbours[i], seeds + 1);
    }
  }

  for (const device of session.devices.keys()) {
    const index = indexOf(device);
    if (victims.has(index) || sacrificed.has(index)) expect(ending(session, device)).toBe("too-few-confirmations");
  }
  // The eighty-three that were shown one view unmask over it, which the attack counts on; a share is missing all the same.
  expect(honest.filter((index) => client(index).phase === "unmasked")).toHaveLength(83);
  expect([...seedsOf.values()]).toEqual([graph.threshold - 1, graph.threshold - 1]);
});
