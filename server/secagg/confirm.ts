import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import { confirmationQuorum } from "../../shared/secagg/confirmation-quorum.ts";
import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { type AcksMessage, decodeSignature, encodeAcks } from "../../shared/secagg/messages/exchanges.ts";
import type { RingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { secretOwners, withoutEnoughHolders } from "./minimum.ts";
import {
  DeviceFault,
  outgoing,
  type Roster,
  rosterIndex,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";
import { collectUnmasking } from "./unmask.ts";

/** The roster with U3 closed and every survivor's upload in the sum. */
export interface ClosedRoster extends Roster {
  /** By index in U2: the commitment to b_u. */
  readonly commitments: ReadonlyMap<number, Uint8Array>;
  /** U3. */
  readonly survivors: ReadonlySet<number>;
  /** U3 as it was sent. */
  readonly bitmap: Uint8Array;
  /** The sum of the masked uploads. */
  readonly sum: RingAccumulator;
}

/**
 * Exchange 3: collects each survivor's signature over its view, U2 and U3, and hands each a quorum of the others'. A
 * signature that was checked here need not be sent with more than the quorum, and each costs the device 0.14 ms.
 */
export function collectConfirmations(context: StageContext, roster: ClosedRoster): ServerStage {
  const { provider } = context.options;
  const { graph, devices, entries, sid, survivors, bitmap, sum, commitments, parameters } = roster;
  const waitingFor = new Set([...survivors].map((i) => devices[i]).filter((device) => context.isPresent(device)));
  const confirmed = new Map<number, Uint8Array>();
  const view = confirmedMessage(sid, encodeBitmap(commitments.keys(), graph.size), bitmap);
  const quorum = confirmationQuorum(graph.size, parameters.corruptedTolerated);

  function confirmationsFor(index: number): AcksMessage["confirmations"] {
    const others = [...confirmed].filter(([signer]) => signer !== index).slice(0, quorum);
    return others.map(([signer, signature]) => ({ index: signer, signature }));
  }

  function close(): Transition {
    const need = quorum + 1;
    if (confirmed.size < need) {
      sum.dispose();
      const detail = `${confirmed.size} survivors confirmed the list, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: confirmed.size, need, detail };
    }
    const asked = [...confirmed.keys()].filter((index) => context.isPresent(devices[index]));
    const short = withoutEnoughHolders(roster, secretOwners(roster), new Set(asked));
    if (short !== undefined) {
      sum.dispose();
      return { kind: "abandoned", ...short };
    }
    const send = asked.map((index) => {
      const body = encodeAcks({ confirmations: confirmationsFor(index) });
      return outgoing(context, devices[index], FRAME_TYPES.acks, sid, body);
    });
    return { kind: "next", stage: collectUnmasking(context, roster, asked), send };
  }

  return {
    name: "confirm",
    roster,
    waitingFor,
    receive(device, { type }, body) {
      if (type !== FRAME_TYPES.ack) throw new DeviceFault("malformed", `message type ${type} during confirm`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "a confirmation arrived already");
      const index = rosterIndex(roster, device);
      const signature = decodeSignature(body);
      if (!provider.verifyEd25519(entries[index].idPk, view, signature)) {
        throw new DeviceFault("bad-signature", "the survivors are not confirmed as they were listed");
      }
      waitingFor.delete(device);
      confirmed.set(index, signature);
    },
    leave(device) {
      // A confirmation that was given stays good: it says what the device saw.
      waitingFor.delete(device);
    },
    close,
  };
}
