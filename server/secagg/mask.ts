import { concatBytes } from "../../shared/crypto/bytes.ts";
import { CHUNK_BYTES } from "../../shared/protocol/chunks.ts";
import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { createRingAccumulator, PackedVectorError } from "../../shared/secagg/ring-accumulator.ts";
import { collectConfirmations } from "./confirm.ts";
import {
  DeviceFault,
  outgoing,
  type Roster,
  rosterIndex,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";

/**
 * Exchange 2: collects the masked vectors. Each is buffered until it is whole, added to the one running sum, and freed,
 * so that memory does not grow with the cohort. Closes U3, the survivors, and sends the list to each.
 *
 * An upload that is in the sum cannot be taken out again: a device that leaves afterwards stays a survivor.
 */
export function collectMasked(
  context: StageContext,
  roster: Roster,
  commitments: ReadonlyMap<number, Uint8Array>,
): ServerStage {
  const { agreement } = context.options;
  const { graph, devices, sid, parameters } = roster;
  const sharing = [...commitments.keys()];
  const waitingFor = new Set(sharing.map((index) => devices[index]).filter((device) => context.isPresent(device)));
  const sum = createRingAccumulator(agreement.dimension, agreement.bits);
  const incoming = new Map<DeviceId, { readonly parts: Uint8Array[]; received: number }>();
  const survivors = new Set<number>();

  function takeChunk(device: DeviceId, sequence: number, chunk: Uint8Array): void {
    const upload = incoming.get(device) ?? { parts: [], received: 0 };
    incoming.set(device, upload);
    const expected = Math.min(CHUNK_BYTES, sum.packedBytes - upload.received);
    if (sequence !== upload.parts.length) throw new DeviceFault("malformed", "a piece of the upload is out of order");
    if (chunk.length > expected) throw new DeviceFault("oversize", "the upload is longer than was agreed");
    if (chunk.length < expected) throw new DeviceFault("malformed", "a piece of the upload is too short");
    upload.parts.push(chunk);
    upload.received += chunk.length;
    if (upload.received < sum.packedBytes) return;
    incoming.delete(device);
    try {
      sum.addPacked(upload.parts.length === 1 ? upload.parts[0] : concatBytes(...upload.parts));
    } catch (error) {
      if (error instanceof PackedVectorError) throw new DeviceFault("malformed", error.message);
      throw error;
    }
    survivors.add(rosterIndex(roster, device));
    waitingFor.delete(device);
  }

  function close(): Transition {
    incoming.clear();
    const { floors, minSurvivors } = agreement;
    const need = Math.max(floors.minCohort, minSurvivors, floors.minHonest + parameters.corruptedTolerated);
    if (survivors.size < need) {
      sum.dispose();
      const detail = `${survivors.size} uploads arrived, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: survivors.size, need, detail };
    }
    const bitmap = encodeBitmap(survivors, graph.size);
    const present = [...survivors].map((index) => devices[index]).filter((device) => context.isPresent(device));
    return {
      kind: "next",
      stage: collectConfirmations(context, { ...roster, commitments, survivors, bitmap, sum }),
      send: present.map((device) => outgoing(context, device, FRAME_TYPES.survivors, sid, bitmap)),
    };
  }

  return {
    name: "mask",
    roster,
    waitingFor,
    receive(device, { type, sequence }, body) {
      if (type !== FRAME_TYPES.masked) throw new DeviceFault("malformed", `message type ${type} during mask`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "an upload arrived already");
      takeChunk(device, sequence, body);
    },
    leave(device) {
      waitingFor.delete(device);
      incoming.delete(device);
    },
    close,
  };
}
