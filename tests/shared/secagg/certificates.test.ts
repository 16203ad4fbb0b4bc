import { describe, expect, test } from "vitest";
import { issueCertificate, verifyCertificate } from "../../../shared/secagg/certificates.ts";
import { providers } from "../crypto/providers.ts";

describe.each(providers)("certificates, $name provider", (provider) => {
  const authority = provider.generateEd25519();
  const device = provider.generateEd25519().publicKey;
  const certificate = issueCertificate(authority, "phones", device, 1000);
  const holds = (changes: Partial<{ key: Uint8Array; population: string; device: Uint8Array; now: number }>) =>
    verifyCertificate(
      provider,
      changes.key ?? authority.publicKey,
      changes.population ?? "phones",
      changes.device ?? device,
      certificate,
      changes.now ?? 999,
    );

  test("hold for this device in this population, under this authority, until they expire", () => {
    expect(holds({})).toBe(true);
    expect(holds({ now: 1000 })).toBe(false);
    expect(holds({ now: Number.NaN })).toBe(false);
    expect(holds({ population: "watches" })).toBe(false);
    expect(holds({ device: authority.publicKey })).toBe(false);
    expect(holds({ key: device })).toBe(false);
  });

  test("do not hold with another expiry than was signed", () => {
    const longer = { ...certificate, expiry: 2000 };
    expect(verifyCertificate(provider, authority.publicKey, "phones", device, longer, 999)).toBe(false);
  });
});
