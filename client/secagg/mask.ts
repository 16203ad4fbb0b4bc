import { boxContext, pairMaskKey, selfMaskKey } from "../../shared/secagg/key-schedule.ts";
import { addMask, pairMaskSign } from "../../shared/secagg/masks.ts";
import { decodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import { BOX_BYTES, decodeSharesForward } from "../../shared/secagg/messages/exchanges.ts";
import { createRingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { DeviceAbort } from "./device-abort.ts";
import { BOX_NONCE } from "./share.ts";
import type { ClientSecAggOptions, HeldShares, MaskedState, SharedState } from "./state.ts";

/**
 * Exchange 2: opens the neighbours' boxes, and masks the input:
 * y_u = x_u + PRG(b_u) + Σ_{v ∈ N(u) ∩ U2} ±PRG(mask_uv) mod 2^b, with + where u > v
 * (Bonawitz et al. 2017, figure 4, round 2; Bell et al. 2020, algorithm 2).
 *
 * @returns the packed y_u, ⌈d·b/8⌉ bytes
 */
export function mask(
  options: ClientSecAggOptions,
  state: SharedState,
  body: Uint8Array,
): { readonly state: MaskedState; readonly upload: Uint8Array } {
  const { policy, agreement } = options;
  const { session } = state;
  const { graph, index } = session;
  const forward = decodeSharesForward(body, graph.size);
  const sharing = decodeBitmap(forward.sharing, graph.size);
  if (!sharing.has(index)) throw new DeviceAbort("not-in-survivors", "this device's shares were left out");
  if (sharing.size < Math.max(policy.minCohort, agreement.floors.minCohort)) {
    throw new DeviceAbort("below-floor", `${sharing.size} devices shared, which is below this device's floor`);
  }
  const neighbours = graph.neighbours(index).filter((neighbour) => sharing.has(neighbour));
  if (neighbours.length < graph.threshold) {
    throw new DeviceAbort(
      "too-few-neighbours",
      `${neighbours.length} neighbours shared, ${graph.threshold} are needed`,
    );
  }
  if (forward.boxes.length !== neighbours.length * BOX_BYTES) {
    throw new DeviceAbort("malformed-message", "there is not one box for each neighbour that shared");
  }
  const held = openBoxes(options, state, neighbours, forward.boxes);
  const upload = maskInput(options, state, neighbours);
  return { state: { phase: "masked", session, sharing, held }, upload };
}

/** A box that does not open is no share of that neighbour, no more: one bad sender must not end its neighbours' round. */
function openBoxes(
  { provider }: ClientSecAggOptions,
  { session, incoming }: SharedState,
  neighbours: readonly number[],
  boxes: Uint8Array,
): ReadonlyMap<number, HeldShares> {
  const { sid, graph, index } = session;
  const held = new Map<number, HeldShares>();
  for (const [i, sender] of neighbours.entries()) {
    const key = incoming.get(sender);
    if (key === undefined) throw new Error("a neighbour has a channel");
    const box = boxes.subarray(i * BOX_BYTES, (i + 1) * BOX_BYTES);
    const opened = provider.open(key, BOX_NONCE, box, boxContext(sid, sender, index, graph.slot(sender, index)));
    if (opened === undefined) continue;
    held.set(sender, { seed: opened.slice(0, 32), maskKey: opened.slice(32, 64) });
    opened.fill(0);
  }
  return held;
}

function maskInput(
  { provider, agreement, input }: ClientSecAggOptions,
  { session, mask: maskKey, seed }: SharedState,
  neighbours: readonly number[],
): Uint8Array {
  const { sid, index, entries } = session;
  const binding = { sid, bits: agreement.bits };
  const accumulator = createRingAccumulator(agreement.dimension, agreement.bits);
  try {
    accumulator.load(input);
    const selfKey = selfMaskKey(provider, binding, seed, index);
    addMask(accumulator, provider, selfKey, 1);
    selfKey.fill(0);
    for (const peer of neighbours) {
      const secret = maskKey.agree(entries[peer].maskKey);
      const key = pairMaskKey(provider, binding, secret, index, peer);
      addMask(accumulator, provider, key, pairMaskSign(index, peer));
      secret.fill(0);
      key.fill(0);
    }
    return accumulator.pack();
  } finally {
    accumulator.dispose();
  }
}
