import { fromHex, toHex } from "../crypto/bytes.ts";
import type { CryptoProvider, Ed25519Key } from "../crypto/provider.ts";
import { createReader, createWriter, EncodingError } from "../protocol/encoding.ts";

/**
 * An enrolment authority's word that a device belongs to a population:
 * Sign("murmuration-enrol/1" ‖ population ‖ idPk ‖ expiry) in the canonical encoding
 * (`secure-aggregation.md` section 1). The authority is not the coordinator; devices pin its key.
 */
export interface Certificate {
  /** Seconds since the epoch; the certificate is good before it. */
  readonly expiry: number;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

/** Encoded length: expiry as a double, then the signature. */
export const CERTIFICATE_BYTES = 72;

export function issueCertificate(
  authority: Pick<Ed25519Key, "sign">,
  population: string,
  devicePublicKey: Uint8Array,
  expiry: number,
): Certificate {
  return { expiry, signature: authority.sign(enrolment(population, devicePublicKey, expiry)) };
}

/** Whether the pinned authority certified this key for this population, and the certificate has not expired. */
export function verifyCertificate(
  provider: Pick<CryptoProvider, "verifyEd25519">,
  authority: Uint8Array,
  population: string,
  devicePublicKey: Uint8Array,
  certificate: Certificate,
  nowSeconds: number,
): boolean {
  if (!(nowSeconds < certificate.expiry)) return false;
  return provider.verifyEd25519(
    authority,
    enrolment(population, devicePublicKey, certificate.expiry),
    certificate.signature,
  );
}

/** 72 bytes. */
export function encodeCertificate({ expiry, signature }: Certificate): Uint8Array {
  return createWriter().f64(expiry).fixed(signature, 64).finish();
}

/** @throws {EncodingError} */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  const reader = createReader(bytes);
  const certificate = { expiry: reader.f64(), signature: reader.fixed(64) };
  reader.end();
  return certificate;
}

/** The certificate that a peer sent, or undefined when the bytes are none. */
export function readCertificate(bytes: Uint8Array): Certificate | undefined {
  try {
    return decodeCertificate(bytes);
  } catch (error) {
    if (error instanceof EncodingError) return undefined;
    throw error;
  }
}

/** As one line of text, for files that people pass around. */
export function certificateToHex(certificate: Certificate): string {
  return toHex(encodeCertificate(certificate));
}

/** @throws {RangeError | EncodingError} */
export function certificateFromHex(hex: string): Certificate {
  return decodeCertificate(fromHex(hex));
}

function enrolment(population: string, devicePublicKey: Uint8Array, expiry: number): Uint8Array {
  return createWriter().text("murmuration-enrol/1").text(population).fixed(devicePublicKey, 32).f64(expiry).finish();
}
