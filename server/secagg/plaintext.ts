import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { resultHash } from "../../shared/secagg/key-schedule.ts";
import { encodeDone } from "../../shared/secagg/messages/exchanges.ts";
import { runStages, type ServerSecAgg } from "./session.ts";
import {
  DeviceFault,
  outgoing,
  type ServerSecAggOptions,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";
import { createUploadSum } from "./upload-sum.ts";

/**
 * The insecure mode: unmasked updates, which the coordinator could read one by one. One stage, the same ring sum, no
 * protection whatever; devices take part only where their policy says so, and the run is stamped with it.
 */
export function createPlaintextServer(options: ServerSecAggOptions): ServerSecAgg {
  return runStages(options, collectPlainUpdates);
}

function collectPlainUpdates(context: StageContext): ServerStage {
  const { provider, agreement, invited, quorum } = context.options;
  const waitingFor = new Set(invited);
  const uploads = createUploadSum(agreement);
  const { sum } = uploads;
  const survivors: DeviceId[] = [];

  function close(): Transition {
    const need = Math.max(quorum, agreement.floors.minCohort, agreement.minSurvivors);
    if (survivors.length < need) {
      sum.dispose();
      const detail = `${survivors.length} updates arrived, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: survivors.length, need, detail };
    }
    // Without a roster there is no session and no list of indices: ctx stands for the one, nothing for the other.
    const hash = resultHash(provider, context.context, new Uint8Array(0), sum.pack());
    const opened = sum.toSignedSum();
    sum.dispose();
    const body = encodeDone({ resultHash: hash, survivors: survivors.length });
    const present = survivors.filter((device) => context.isPresent(device));
    return {
      kind: "done",
      result: { sum: opened, survivors, resultHash: hash },
      send: present.map((device) => outgoing(context, device, FRAME_TYPES.done, context.context, body)),
    };
  }

  return {
    name: "mask",
    roster: undefined,
    waitingFor,
    receive(device, { type, sequence }, body) {
      if (type !== FRAME_TYPES.plainUpdate) throw new DeviceFault("malformed", `message type ${type} without masks`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "an update arrived already");
      if (!uploads.take(device, sequence, body)) return;
      survivors.push(device);
      waitingFor.delete(device);
    },
    leave(device) {
      waitingFor.delete(device);
      uploads.forget(device);
    },
    close,
  };
}
