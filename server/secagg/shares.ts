import { concatBytes } from "../../shared/crypto/bytes.ts";
import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { sharedMessage } from "../../shared/secagg/key-schedule.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import {
  BOX_BYTES,
  decodeShares,
  encodeSharesForward,
  type SharesMessage,
} from "../../shared/secagg/messages/exchanges.ts";
import { collectMasked } from "./mask.ts";
import { leastDevices, withoutEnoughHolders } from "./minimum.ts";
import {
  DeviceFault,
  outgoing,
  type Roster,
  rosterIndex,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";

/** Exchange 1: collects the sealed shares; closes U2, and forwards to each device its neighbours' boxes. */
export function collectShares(context: StageContext, roster: Roster): ServerStage {
  const { provider, agreement } = context.options;
  const { sid, graph, devices, entries } = roster;
  const waitingFor = new Set(devices.filter((device) => context.isPresent(device)));
  const shared = new Map<number, SharesMessage>();

  function boxesFor(receiver: number): Uint8Array {
    const boxes: Uint8Array[] = [];
    for (const sender of graph.neighbours(receiver)) {
      const message = shared.get(sender);
      if (message === undefined) continue;
      const at = (graph.slot(sender, receiver) - 1) * BOX_BYTES;
      boxes.push(message.boxes.subarray(at, at + BOX_BYTES));
    }
    return concatBytes(...boxes);
  }

  function close(): Transition {
    const need = leastDevices(agreement, roster.parameters);
    if (shared.size < need) {
      const detail = `${shared.size} devices shared their secrets, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: shared.size, need, detail };
    }
    const short = withoutEnoughHolders(roster, shared.keys(), new Set(shared.keys()));
    if (short !== undefined) return { kind: "abandoned", ...short };
    const sharing = encodeBitmap(shared.keys(), graph.size);
    const commitments = new Map([...shared].map(([index, { commitment }]) => [index, commitment]));
    const send = [...shared.keys()].map((index) => {
      const body = encodeSharesForward({ sharing, boxes: boxesFor(index) });
      return outgoing(context, devices[index], FRAME_TYPES.sharesForward, sid, body);
    });
    return { kind: "next", stage: collectMasked(context, roster, commitments), send };
  }

  return {
    name: "shares",
    roster,
    waitingFor,
    receive(device: DeviceId, { type }, body) {
      if (type !== FRAME_TYPES.shares) throw new DeviceFault("malformed", `message type ${type} during shares`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "shares were sent already");
      const index = rosterIndex(roster, device);
      const message = decodeShares(body, graph.degree);
      const signed = sharedMessage(provider, sid, index, message.boxes, message.commitment);
      if (!provider.verifyEd25519(entries[index].idPk, signed, message.signature)) {
        throw new DeviceFault("bad-signature", "the shares are not signed for this session");
      }
      waitingFor.delete(device);
      shared.set(index, message);
    },
    leave(device) {
      waitingFor.delete(device);
      shared.delete(rosterIndex(roster, device));
    },
    close,
  };
}
