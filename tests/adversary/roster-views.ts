import { compareBytes } from "../../shared/crypto/bytes.ts";
import { decodeFrame } from "../../shared/protocol/frame.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { BOX_BYTES, decodeShares, encodeRoster, encodeSharesForward } from "../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, type RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { rosterGraph, rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { clientOf, deviceName } from "../secagg/session-harness.ts";
import { attackedSession, bodyOf, quickProvider, reframe } from "./fixture.ts";

export const compareEntries = (a: RosterEntry, b: RosterEntry) => compareBytes(a.idPk, b.idPk);

/**
 * A coordinator gives devices 0 to 2 a roster of six and devices 3 to 5 one of the same six in a session of another
 * graph seed, and hands device 0 the boxes that all others sealed for it. How many opened?
 */
export function sealedPeers(): { leftSid: Uint8Array; rightSid: Uint8Array; opened: number } {
  let opened = 0;
  const counting = {
    ...quickProvider,
    open(...box: Parameters<typeof quickProvider.open>) {
      const plaintext = quickProvider.open(...box);
      if (plaintext !== undefined) opened++;
      return plaintext;
    },
  };
  const session = attackedSession({ size: 6, provider: () => counting });
  const advertised = [0, 1, 2, 3, 4, 5].map((i) => clientOf(session, deviceName(i)).start()[0]);
  const entries = advertised.map((frame) => decodeRosterEntry(bodyOf(frame))).sort(compareEntries);
  const graph = rosterGraph(
    quickProvider,
    rosterParameters(session.agreement, 6) as Extract<ReturnType<typeof rosterParameters>, { ok: true }>,
    entries.map(({ idPk }) => idPk),
    new Uint8Array(32),
  );
  const shares = advertised.map((frame, i) => {
    const graphSeed = new Uint8Array(32).fill(i < 3 ? 0 : 1);
    const header = { type: 17, binding: decodeFrame(frame).header.binding } as const;
    return clientOf(session, deviceName(i)).receive(reframe(frame, encodeRoster({ entries, graphSeed }), header))[0];
  });
  const own = session.indices[0];
  const boxes = graph.neighbours(own).flatMap((index) => {
    const device = session.indices.indexOf(index);
    const message = decodeShares(bodyOf(shares[device]), graph.degree);
    const at = (graph.slot(index, own) - 1) * BOX_BYTES;
    return [...message.boxes.subarray(at, at + BOX_BYTES)];
  });
  const [left, right] = [shares[0], shares[3]].map((frame) => decodeFrame(frame).header.binding);
  const forward = encodeSharesForward({ sharing: encodeBitmap([0, 1, 2, 3, 4, 5], 6), boxes: Uint8Array.from(boxes) });
  const upload = clientOf(session, deviceName(0)).receive(reframe(shares[0], forward, { type: 19, sender: 0xffff }));
  if (decodeFrame(upload[0]).header.type !== 20) throw new Error("device 0 did not upload");
  return { leftSid: left, rightSid: right, opened };
}
