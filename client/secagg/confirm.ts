import { confirmedMessage } from "../../shared/secagg/key-schedule.ts";
import { decodeBitmap, encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { DeviceAbort } from "./device-abort.ts";
import type { ClientSecAggOptions, ConfirmedState, MaskedState } from "./state.ts";

/**
 * Exchange 3: checks the list of survivors, U3, and signs exactly the view it was shown: who shared, and who survived.
 * Devices unmask only over one and the same view (Bonawitz et al. 2017, figure 4, consistency check).
 */
export function confirm(
  options: ClientSecAggOptions,
  state: MaskedState,
  body: Uint8Array,
): { readonly state: ConfirmedState; readonly body: Uint8Array } {
  const { policy, agreement, identity } = options;
  const { session, sharing, held } = state;
  const { graph, index, sid } = session;
  const survivors = decodeBitmap(body, graph.size);
  for (const survivor of survivors) {
    if (!sharing.has(survivor)) throw new DeviceAbort("not-a-subset", "a survivor is listed that never shared");
  }
  if (!survivors.has(index)) throw new DeviceAbort("not-in-survivors", "this device's upload was left out");
  const leastSurvivors = Math.max(policy.minCohort, agreement.floors.minCohort, agreement.minSurvivors);
  if (survivors.size < leastSurvivors) {
    throw new DeviceAbort("below-floor", `${survivors.size} survivors are below this device's floor`);
  }
  if (survivors.size - session.corruptedTolerated < Math.max(policy.minHonest, agreement.floors.minHonest)) {
    throw new DeviceAbort("below-floor", "too few of the survivors are honest for certain");
  }
  const alive = graph.neighbours(index).filter((neighbour) => survivors.has(neighbour)).length;
  if (alive < graph.threshold) {
    throw new DeviceAbort("too-few-neighbours", `${alive} neighbours survived, ${graph.threshold} are needed`);
  }
  const view = confirmedMessage(sid, encodeBitmap(sharing, graph.size), body);
  return {
    state: { phase: "confirmed", session, sharing, held, survivors, view },
    body: identity.sign(view),
  };
}
