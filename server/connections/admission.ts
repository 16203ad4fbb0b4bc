import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { type Authentication, connectMessage } from "../../shared/protocol/connection-messages.ts";
import type { Refusal } from "../../shared/protocol/reasons.ts";
import { readCertificate, verifyCertificate } from "../../shared/secagg/certificates.ts";

export interface AdmissionRules {
  readonly provider: Pick<CryptoProvider, "verifyEd25519">;
  readonly population: string;
  /** Whether the key is enrolled and in good standing. */
  standing(idPk: Uint8Array): "ok" | "not-enrolled" | "revoked";
  /** The certificate that the key was enrolled with; empty without one. */
  enrolledCertificate(idPk: Uint8Array): Uint8Array;
  /** Whether a name that a device dialled is this coordinator's. */
  isOwnName(audience: string): boolean;
  /** The pinned enrolment authority's key, at `active-server`. */
  readonly authority?: Uint8Array;
}

export type Admission =
  /** `until`: seconds since 1970; for ever where no certificate is asked for. */
  | { readonly ok: true; readonly until: number }
  | { readonly ok: false; readonly reason: Refusal; readonly message: string };

/**
 * Whether the device behind an AUTHENTICATE is let in. The signature is over the connection's own challenge, so a
 * recorded one is worth nothing; and over the name that the device dialled, so that whoever it was tricked into dialling
 * cannot hand it on.
 */
export function admit(
  { provider, population, authority, ...rules }: AdmissionRules,
  nonce: Uint8Array,
  authentication: Authentication,
  nowSeconds: number,
): Admission {
  const { idPk, certificate, audience, signature } = authentication;
  if (!rules.isOwnName(audience)) {
    return refuse("wrong-audience", `The device dialled ${shown(audience)}, which is not a name of this coordinator.`);
  }
  const signed = connectMessage(nonce, { population, audience, certificate });
  if (!provider.verifyEd25519(idPk, signed, signature)) {
    return refuse("bad-signature", "The signature is not the device's over this connection's challenge.");
  }
  const standing = rules.standing(idPk);
  if (standing === "not-enrolled") return refuse("not-enrolled", "The device's key is not enrolled here.");
  if (standing === "revoked") return refuse("revoked", "The operator has revoked the device's key.");
  if (authority === undefined) return { ok: true, until: Number.POSITIVE_INFINITY };
  // A device may bring a newer certificate than it was enrolled with.
  const shownCertificate = certificate.length > 0 ? certificate : rules.enrolledCertificate(idPk);
  const certified = readCertificate(shownCertificate);
  const holds =
    certified !== undefined && verifyCertificate(provider, authority, population, idPk, certified, nowSeconds);
  if (holds) return { ok: true, until: certified.expiry };
  return refuse("uncertified", "The device has no certificate of the enrolment authority that holds now.");
}

function refuse(reason: Refusal, message: string): Admission {
  return { ok: false, reason, message };
}

/** What a stranger sent, short and printable. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
