import { compareBytes, equalBytes, toHex } from "../../shared/crypto/bytes.ts";
import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { advertisedMessage, rosterHash, sessionId } from "../../shared/secagg/key-schedule.ts";
import { encodeRoster } from "../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, type RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { rosterGraph, rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { createCertificateCache } from "./certificate-cache.ts";
import { collectShares } from "./shares.ts";
import { DeviceFault, outgoing, type Roster, type ServerStage, type StageContext, type Transition } from "./stage.ts";

/** Exchange 0: collects the signed keys; closes U1, the roster, and sends the full list to everyone in it. */
export function collectKeys(context: StageContext): ServerStage {
  const { provider, agreement, authority, nowSeconds, invited, quorum } = context.options;
  const waitingFor = new Set(invited);
  const entries = new Map<DeviceId, RosterEntry>();
  const taken = new Set<string>();
  const certificates =
    authority === undefined
      ? undefined
      : (context.options.certificates ?? createCertificateCache(provider, authority, agreement.population));

  function checkEntry(device: DeviceId, entry: RosterEntry): void {
    const { idPk, channelKey, maskKey, signature } = entry;
    const known = context.options.identityOf?.(device);
    if (known !== undefined && !equalBytes(known, idPk)) {
      throw new DeviceFault("bad-key", "it takes part under another identity than its connection's");
    }
    if (!provider.isValidX25519PublicKey(channelKey) || !provider.isValidX25519PublicKey(maskKey)) {
      throw new DeviceFault("bad-key", "a key is not canonical or of low order");
    }
    if (equalBytes(channelKey, maskKey)) throw new DeviceFault("bad-key", "one key for channels and masks");
    for (const key of publicKeys(entry)) {
      if (taken.has(key)) throw new DeviceFault("bad-key", "its identity or one of its keys is in the roster already");
    }
    if (certificates !== undefined && !certificates.holds(idPk, entry.certificate, nowSeconds)) {
      throw new DeviceFault("bad-signature", "its certificate does not verify or has expired");
    }
    if (!provider.verifyEd25519(idPk, advertisedMessage(context.context, channelKey, maskKey), signature)) {
      throw new DeviceFault("bad-signature", "its keys are not signed by it for this round");
    }
  }

  function close(): Transition {
    const need = Math.max(quorum, agreement.floors.minCohort, agreement.minSurvivors);
    if (entries.size < need) {
      const detail = `${entries.size} devices advertised their keys, ${need} are needed`;
      return { kind: "abandoned", reason: "below-quorum", have: entries.size, need, detail };
    }
    const parameters = rosterParameters(agreement, entries.size);
    if (!parameters.ok) {
      return { kind: "abandoned", reason: "no-parameters", have: entries.size, need, detail: parameters.reason };
    }
    context.adopt(parameters);
    const ranked = [...entries].sort(([, a], [, b]) => compareBytes(a.idPk, b.idPk));
    const devices = ranked.map(([device]) => device);
    const listed = ranked.map(([, entry]) => entry);
    // Drawn only now that the roster is closed: nobody could choose a key that lands beside a victim.
    const graphSeed = parameters.rule === "finder" ? provider.random.bytes(32) : new Uint8Array(32);
    const identities = listed.map(({ idPk }) => idPk);
    const graph = rosterGraph(provider, parameters, identities, graphSeed);
    const roster: Roster = {
      sid: sessionId(provider, context.context, rosterHash(provider, listed), graphSeed, graph),
      entries: listed,
      graph,
      parameters,
      devices,
      indexOf: new Map(devices.map((device, index) => [device, index])),
    };
    const body = encodeRoster({ entries: listed, graphSeed });
    return {
      kind: "next",
      stage: collectShares(context, roster),
      send: devices.map((device) => outgoing(context, device, FRAME_TYPES.roster, context.context, body)),
    };
  }

  return {
    name: "keys",
    roster: undefined,
    waitingFor,
    receive(device, { type }, body) {
      if (type !== FRAME_TYPES.advertise) throw new DeviceFault("malformed", `message type ${type} during keys`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "keys were advertised already");
      const entry = decodeRosterEntry(body);
      checkEntry(device, entry);
      waitingFor.delete(device);
      entries.set(device, entry);
      for (const key of publicKeys(entry)) taken.add(key);
    },
    leave(device) {
      waitingFor.delete(device);
      const entry = entries.get(device);
      if (entry === undefined) return;
      entries.delete(device);
      for (const key of publicKeys(entry)) taken.delete(key);
    },
    close,
  };
}

/** What no two devices may have in common. */
function publicKeys({ idPk, channelKey, maskKey }: RosterEntry): string[] {
  return [`id ${toHex(idPk)}`, toHex(channelKey), toHex(maskKey)];
}
