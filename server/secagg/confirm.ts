import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { decodeSignature, encodeAcks } from "../../shared/secagg/messages/exchanges.ts";
import type { RingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
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

/** Exchange 3: collects each survivor's signature over U3, and hands every survivor those of its neighbours. */
export function collectConfirmations(context: StageContext, roster: ClosedRoster): ServerStage {
  const { provider } = context.options;
  const { graph, devices, entries, sid, survivors, bitmap, sum } = roster;
  const waitingFor = new Set([...survivors].map((i) => devices[i]).filter((device) => context.isPresent(device)));
  const confirmed = new Map<number, Uint8Array>();
  const message = confirmedMessage(sid, bitmap);

  function close(): Transition {
    const need = graph.threshold + 1;
    if (confirmed.size < need) {
      sum.dispose();
      const detail = `${confirmed.size} survivors confirmed the list, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: confirmed.size, need, detail };
    }
    const asked = [...confirmed.keys()].filter((index) => context.isPresent(devices[index]));
    const send = asked.map((index) => {
      const confirmations = graph.neighbours(index).flatMap((neighbour) => {
        const signature = confirmed.get(neighbour);
        return signature === undefined ? [] : [{ index: neighbour, signature }];
      });
      return outgoing(context, devices[index], FRAME_TYPES.acks, sid, encodeAcks({ confirmations }));
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
      if (!provider.verifyEd25519(entries[index].idPk, message, signature)) {
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
