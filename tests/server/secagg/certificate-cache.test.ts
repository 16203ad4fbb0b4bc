import { expect, test } from "vitest";
import { createCertificateCache } from "../../../server/secagg/certificate-cache.ts";
import { encodeCertificate, issueCertificate } from "../../../shared/secagg/certificates.ts";
import { nodeProvider as provider } from "../../shared/crypto/providers.ts";

const authority = provider.generateEd25519();
const device = provider.generateEd25519().publicKey;
const certificate = issueCertificate(authority, "phones", device, 1000);

test("a certificate is verified once, and its expiry every time", () => {
  let verifications = 0;
  const counting = {
    ...provider,
    verifyEd25519: (...args: Parameters<typeof provider.verifyEd25519>) => {
      verifications++;
      return provider.verifyEd25519(...args);
    },
  };
  const cache = createCertificateCache(counting, authority.publicKey, "phones");
  const encoded = encodeCertificate(certificate);
  expect([1, 2, 3].map((now) => cache.holds(device, encoded, now))).toEqual([true, true, true]);
  expect(verifications).toBe(1);
  expect(cache.holds(device, encoded, 1000)).toBe(false);
  expect(cache.holds(authority.publicKey, encoded, 1)).toBe(false);
  expect(cache.holds(device, new Uint8Array(0), 1)).toBe(false);
});
