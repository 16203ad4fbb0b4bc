import { contextHash } from "../../shared/secagg/agreement.ts";
import { encodeCertificate } from "../../shared/secagg/certificates.ts";
import { advertisedMessage } from "../../shared/secagg/key-schedule.ts";
import { encodeRosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import type { AdvertisedState, ClientSecAggOptions } from "./state.ts";

/**
 * Exchange 0: two fresh X25519 pairs, one for channels and one for masks, signed together with ctx by the enrolled key.
 * They live for this session only.
 */
export function advertise(options: ClientSecAggOptions): {
  readonly state: AdvertisedState;
  readonly body: Uint8Array;
} {
  const { provider, agreement, identity } = options;
  const context = contextHash(provider, agreement);
  const channel = provider.generateX25519();
  const mask = provider.generateX25519();
  const own = {
    idPk: identity.publicKey,
    certificate: identity.certificate === undefined ? new Uint8Array(0) : encodeCertificate(identity.certificate),
    channelKey: channel.publicKey,
    maskKey: mask.publicKey,
    signature: identity.sign(advertisedMessage(context, channel.publicKey, mask.publicKey)),
  };
  return { state: { phase: "advertised", context, own, channel, mask }, body: encodeRosterEntry(own) };
}
