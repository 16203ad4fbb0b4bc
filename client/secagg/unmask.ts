import { confirmationQuorum } from "../../shared/secagg/confirmation-quorum.ts";
import { decodeAcks, encodeUnmask, type UnmaskShare } from "../../shared/secagg/messages/exchanges.ts";
import { DeviceAbort } from "./device-abort.ts";
import type { ClientSecAggOptions, ConfirmedState, UnmaskedState } from "./state.ts";

/**
 * Exchange 4: once a quorum of the survivors has signed the very view that this device signed, gives for each
 * neighbour in U2 exactly one share: of its mask key if it dropped out, of its seed if it survived. Both together would
 * open its upload, so no neighbour's other share ever leaves: the phase, and with it the shares, is gone afterwards.
 */
export function unmask(
  options: ClientSecAggOptions,
  state: ConfirmedState,
  body: Uint8Array,
): { readonly state: UnmaskedState; readonly body: Uint8Array } {
  const { session, sharing, survivors, held } = state;
  const { graph, index } = session;
  requireConfirmations(options, state, body);
  const shares: UnmaskShare[] = [];
  for (const neighbour of graph.neighbours(index)) {
    if (!sharing.has(neighbour)) continue;
    const entrusted = held.get(neighbour);
    if (entrusted === undefined) shares.push({ kind: "none", value: new Uint8Array(32) });
    else if (survivors.has(neighbour)) shares.push({ kind: "seed", value: entrusted.seed });
    else shares.push({ kind: "maskKey", value: entrusted.maskKey });
  }
  return { state: { phase: "unmasked", session, survivors: survivors.size }, body: encodeUnmask(shares) };
}

function requireConfirmations({ provider }: ClientSecAggOptions, state: ConfirmedState, body: Uint8Array): void {
  const { session, survivors, view } = state;
  const { graph, index, entries, corruptedTolerated } = session;
  const quorum = confirmationQuorum(graph.size, corruptedTolerated);
  const seen = new Set<number>();
  let valid = 0;
  for (const { index: signer, signature } of decodeAcks(body, graph.size).confirmations) {
    if (seen.has(signer)) throw new DeviceAbort("duplicate-device", "a confirmation is listed twice");
    seen.add(signer);
    if (signer === index || !survivors.has(signer)) {
      throw new DeviceAbort("unknown-device", "a confirmation is not from another survivor");
    }
    if (provider.verifyEd25519(entries[signer].idPk, view, signature)) valid++;
  }
  if (valid < quorum) {
    throw new DeviceAbort("too-few-confirmations", `${valid} survivors confirmed the same view, ${quorum} are needed`);
  }
}
