import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { type AcksMessage, decodeSignature, encodeAcks } from "../../shared/secagg/messages/exchanges.ts";
import type { RingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { withoutEnoughHolders } from "./minimum.ts";
import {
  DeviceFault,
  type Outgoing,
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

  function confirmationsFor(index: number): AcksMessage["confirmations"] {
    return graph.neighbours(index).flatMap((neighbour) => {
      const signature = confirmed.get(neighbour);
      return signature === undefined ? [] : [{ index: neighbour, signature }];
    });
  }

  function close(): Transition {
    const asked = new Set<number>();
    const isolated: DeviceId[] = [];
    const send: Outgoing[] = [];
    for (const index of confirmed.keys()) {
      if (!context.isPresent(devices[index])) continue;
      const confirmations = confirmationsFor(index);
      if (confirmations.length < graph.threshold) {
        isolated.push(devices[index]);
        continue;
      }
      asked.add(index);
      send.push(outgoing(context, devices[index], FRAME_TYPES.acks, sid, encodeAcks({ confirmations })));
    }
    const short = withoutEnoughHolders(roster, asked);
    if (short !== undefined) {
      sum.dispose();
      return { kind: "abandoned", ...short };
    }
    return { kind: "next", stage: collectUnmasking(context, roster, [...asked]), send, isolated };
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
