import { describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import type { CryptoProvider } from "../../../shared/crypto/provider.ts";
import { rememberVerifications } from "../../../shared/crypto/remembering-verifier.ts";

const key = cryptoProvider.generateEd25519();
const text = (words: string) => new TextEncoder().encode(words);

function counting(capacity: number) {
  const counted = { checks: 0 };
  const inner: CryptoProvider = {
    ...cryptoProvider,
    verifyEd25519(...parts) {
      counted.checks++;
      return cryptoProvider.verifyEd25519(...parts);
    },
  };
  return { counted, provider: rememberVerifications(inner, capacity) };
}

describe("remembered signature checks", () => {
  it("computes each once, and answers as the provider does, good or bad", () => {
    const { counted, provider } = counting(8);
    const signature = key.sign(text("yes"));
    for (let time = 0; time < 3; time++) {
      expect(provider.verifyEd25519(key.publicKey, text("yes"), signature)).toBe(true);
      expect(provider.verifyEd25519(key.publicKey, text("no"), signature)).toBe(false);
    }
    expect(counted.checks).toBe(2);
  });

  it("does not take one check for another whose parts join to the same bytes", () => {
    const { counted, provider } = counting(8);
    const signature = key.sign(text("message"));
    expect(provider.verifyEd25519(key.publicKey, text("message"), signature)).toBe(true);
    const joined = Uint8Array.of(...key.publicKey, ...text("message"), ...signature);
    for (const [a, b] of [
      [31, 39],
      [33, 39],
      [32, 38],
      [32, 40],
      [0, 0],
    ]) {
      expect(provider.verifyEd25519(joined.slice(0, a), joined.slice(a, b), joined.slice(b))).toBe(false);
    }
    expect(counted.checks).toBe(6);
  });

  it("forgets the oldest beyond its capacity, and no more", () => {
    const { counted, provider } = counting(2);
    const check = (words: string) => provider.verifyEd25519(key.publicKey, text(words), key.sign(text(words)));
    for (const words of ["a", "b", "c"]) expect(check(words)).toBe(true);
    expect(counted.checks).toBe(3);
    check("b");
    check("c");
    expect(counted.checks).toBe(3);
    check("a");
    expect(counted.checks).toBe(4);
  });

  it("leaves everything else to the provider", () => {
    const { provider } = counting(1);
    expect(provider.sha256(text("a"))).toEqual(cryptoProvider.sha256(text("a")));
    expect(provider.name).toBe(cryptoProvider.name);
  });
});
