import { compareBytes, equalBytes, toHex } from "../../shared/crypto/bytes.ts";
import { decodeCertificate, verifyCertificate } from "../../shared/secagg/certificates.ts";
import {
  advertisedMessage,
  boxContext,
  channelKey,
  rosterHash,
  seedCommitment,
  sessionId,
  sharedMessage,
} from "../../shared/secagg/key-schedule.ts";
import { BOX_BYTES, decodeRoster, encodeShares, type RosterMessage } from "../../shared/secagg/messages/exchanges.ts";
import { encodeRosterEntry, type RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { rosterGraph, rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { splitSecret } from "../../shared/secagg/secret-sharing.ts";
import { DeviceAbort } from "./device-abort.ts";
import type { AdvertisedState, ClientSecAggOptions, Session, SharedState } from "./state.ts";

/** One key for each direction and one message under it, so the nonce never changes. */
export const BOX_NONCE = new Uint8Array(12);

/**
 * Exchange 1: verifies every entry of the roster, derives session and graph from it, and entrusts shares of its mask key
 * s_u and of a fresh seed b_u to its neighbours, one sealed box each.
 */
export function share(
  options: ClientSecAggOptions,
  state: AdvertisedState,
  body: Uint8Array,
): { readonly state: SharedState; readonly body: Uint8Array } {
  const { provider, identity } = options;
  const roster = decodeRoster(body, 0xffff);
  checkRoster(options, state, roster.entries);
  const session = deriveSession(options, state, roster);
  const seed = provider.random.bytes(32);
  const maskSecret = state.mask.exportSecret();
  const { boxes, incoming } = sealBoxes(options, state, session, seed, maskSecret);
  maskSecret.fill(0);
  state.channel.wipe();
  const commitment = seedCommitment(provider, session.sid, session.index, seed);
  const signature = identity.sign(sharedMessage(provider, session.sid, session.index, boxes, commitment));
  return {
    state: { phase: "shared", session, incoming, mask: state.mask, seed },
    body: encodeShares({ boxes, commitment, signature }),
  };
}

/** Every check on the roster. Each is on its own, so that each can be seen to matter. */
function checkRoster(options: ClientSecAggOptions, state: AdvertisedState, entries: readonly RosterEntry[]): void {
  const { agreement, policy } = options;
  if (entries.length > agreement.maxCohort) {
    throw new DeviceAbort(
      "cohort-too-large",
      `${entries.length} devices, and ${agreement.maxCohort} were agreed at most`,
    );
  }
  if (entries.length < Math.max(policy.minCohort, agreement.floors.minCohort)) {
    throw new DeviceAbort("below-floor", `a roster of ${entries.length} devices is below this device's floor`);
  }
  for (let i = 1; i < entries.length; i++) {
    const order = compareBytes(entries[i - 1].idPk, entries[i].idPk);
    if (order === 0) throw new DeviceAbort("duplicate-device", "a device is listed twice");
    if (order > 0) throw new DeviceAbort("malformed-message", "the roster is not in order");
  }
  const mine = entries.filter(({ idPk }) => equalBytes(idPk, state.own.idPk));
  if (mine.length !== 1 || !equalBytes(encodeRosterEntry(mine[0]), encodeRosterEntry(state.own))) {
    throw new DeviceAbort("own-entry", "this device's entry is absent or altered");
  }
  const keys = new Set(entries.flatMap(({ channelKey, maskKey }) => [toHex(channelKey), toHex(maskKey)]));
  if (keys.size !== 2 * entries.length) throw new DeviceAbort("duplicate-key", "a key is listed twice");
  for (const entry of entries) {
    if (entry === mine[0]) continue;
    checkEntry(options, state, entry);
  }
}

function checkEntry(options: ClientSecAggOptions, state: AdvertisedState, entry: RosterEntry): void {
  const { provider } = options;
  const { idPk, channelKey: channel, maskKey: mask, signature } = entry;
  if (!provider.isValidX25519PublicKey(channel) || !provider.isValidX25519PublicKey(mask)) {
    throw new DeviceAbort("bad-key", "a key is not canonical or of low order");
  }
  if (options.authority !== undefined && !isCertified(options, options.authority, entry)) {
    throw new DeviceAbort("bad-certificate", "a device is not certified by the pinned authority");
  }
  if (!provider.verifyEd25519(idPk, advertisedMessage(state.context, channel, mask), signature)) {
    throw new DeviceAbort("bad-signature", "a device's keys are not signed by it for this round");
  }
}

function isCertified(options: ClientSecAggOptions, authority: Uint8Array, { idPk, certificate }: RosterEntry): boolean {
  if (certificate.length === 0) return false;
  const { provider, agreement, nowSeconds } = options;
  return verifyCertificate(provider, authority, agreement.population, idPk, decodeCertificate(certificate), nowSeconds);
}

function deriveSession(options: ClientSecAggOptions, state: AdvertisedState, roster: RosterMessage): Session {
  const { provider, agreement, policy } = options;
  const { entries, graphSeed } = roster;
  const parameters = rosterParameters(
    { ...agreement, corrupted: policy.corrupted, dropout: policy.dropout },
    entries.length,
  );
  if (!parameters.ok) throw new DeviceAbort("no-parameters", parameters.reason);
  if (entries.length - parameters.corruptedTolerated < Math.max(policy.minHonest, agreement.floors.minHonest)) {
    throw new DeviceAbort("below-floor", "too few of the roster's devices are honest for certain");
  }
  const graph = rosterGraph(
    provider,
    parameters,
    entries.map(({ idPk }) => idPk),
    graphSeed,
  );
  return {
    sid: sessionId(provider, state.context, rosterHash(provider, entries), graphSeed, graph),
    entries,
    graph,
    index: entries.findIndex(({ idPk }) => equalBytes(idPk, state.own.idPk)),
    corruptedTolerated: parameters.corruptedTolerated,
  };
}

function sealBoxes(
  options: ClientSecAggOptions,
  state: AdvertisedState,
  session: Session,
  seed: Uint8Array,
  maskSecret: Uint8Array,
): { readonly boxes: Uint8Array; readonly incoming: ReadonlyMap<number, Uint8Array> } {
  const { provider, agreement } = options;
  const { sid, graph, index, entries } = session;
  const neighbours = graph.neighbours(index);
  const seedShares = splitSecret(seed, graph.threshold, neighbours.length, provider.random);
  const maskShares = splitSecret(maskSecret, graph.threshold, neighbours.length, provider.random);
  const boxes = new Uint8Array(neighbours.length * BOX_BYTES);
  const incoming = new Map<number, Uint8Array>();
  const binding = { sid, bits: agreement.bits };
  const plaintext = new Uint8Array(64);
  for (const [i, holder] of neighbours.entries()) {
    // One agreement gives both directions of the channel.
    const secret = state.channel.agree(entries[holder].channelKey);
    const key = channelKey(provider, binding, secret, index, holder);
    incoming.set(holder, channelKey(provider, binding, secret, holder, index));
    // The neighbours' slots are 1 … k in their ascending order, as the shares are.
    const slot = graph.slot(index, holder);
    plaintext.set(seedShares[slot - 1].value, 0);
    plaintext.set(maskShares[slot - 1].value, 32);
    boxes.set(provider.seal(key, BOX_NONCE, plaintext, boxContext(sid, index, holder, slot)), i * BOX_BYTES);
    for (const bytes of [secret, key, seedShares[slot - 1].value, maskShares[slot - 1].value]) bytes.fill(0);
  }
  plaintext.fill(0);
  return { boxes, incoming };
}
