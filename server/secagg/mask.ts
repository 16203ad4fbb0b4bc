import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { collectConfirmations } from "./confirm.ts";
import { leastDevices, secretOwners, withoutEnoughHolders } from "./minimum.ts";
import {
  DeviceFault,
  outgoing,
  type Roster,
  rosterIndex,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";
import { createUploadSum } from "./upload-sum.ts";

/**
 * Exchange 2: collects the masked vectors and adds each to the one running sum. Closes U3, the survivors, and sends the
 * list to each.
 *
 * An upload that is in the sum cannot be taken out again: a device that leaves afterwards stays a survivor.
 */
export function collectMasked(
  context: StageContext,
  roster: Roster,
  commitments: ReadonlyMap<number, Uint8Array>,
): ServerStage {
  const { agreement } = context.options;
  const { graph, devices, sid } = roster;
  const waitingFor = new Set([...commitments.keys()].map((index) => devices[index]));
  const uploads = createUploadSum(agreement);
  const { sum } = uploads;
  const survivors = new Set<number>();

  function close(): Transition {
    const need = leastDevices(agreement, roster.parameters);
    if (survivors.size < need) {
      sum.dispose();
      const detail = `${survivors.size} uploads arrived, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: survivors.size, need, detail };
    }
    const closed = { ...roster, commitments, survivors, bitmap: encodeBitmap(survivors, graph.size), sum };
    const short = withoutEnoughHolders(closed, secretOwners(closed), survivors);
    if (short !== undefined) {
      sum.dispose();
      return { kind: "abandoned", ...short };
    }
    const present = [...survivors].map((index) => devices[index]).filter((device) => context.isPresent(device));
    return {
      kind: "next",
      stage: collectConfirmations(context, closed),
      send: present.map((device) => outgoing(context, device, FRAME_TYPES.survivors, sid, closed.bitmap)),
    };
  }

  return {
    name: "mask",
    roster,
    waitingFor,
    receive(device, { type, sequence }, body) {
      if (type !== FRAME_TYPES.masked) throw new DeviceFault("malformed", `message type ${type} during mask`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "an upload arrived already");
      if (!uploads.take(device, sequence, body)) return;
      survivors.add(rosterIndex(roster, device));
      waitingFor.delete(device);
    },
    leave(device) {
      waitingFor.delete(device);
      uploads.forget(device);
    },
    close,
  };
}
