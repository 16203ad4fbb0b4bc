import { toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { decodeCertificate, verifyCertificate } from "../../shared/secagg/certificates.ts";

/** Verifies the enrolment authority's certificates, each distinct one once: an Ed25519 verification costs 0.13 ms. */
export interface CertificateCache {
  /** Whether the authority certified this key for the population, and the certificate has not expired. */
  holds(devicePublicKey: Uint8Array, certificate: Uint8Array, nowSeconds: number): boolean;
}

export function createCertificateCache(
  provider: Pick<CryptoProvider, "verifyEd25519" | "sha256">,
  authority: Uint8Array,
  population: string,
): CertificateCache {
  const verified = new Set<string>();
  return {
    holds(devicePublicKey, bytes, nowSeconds) {
      if (bytes.length === 0) return false;
      const certificate = decodeCertificate(bytes);
      if (nowSeconds >= certificate.expiry) return false;
      const digest = toHex(provider.sha256(devicePublicKey, bytes));
      if (verified.has(digest)) return true;
      if (!verifyCertificate(provider, authority, population, devicePublicKey, certificate, nowSeconds)) return false;
      verified.add(digest);
      return true;
    },
  };
}
