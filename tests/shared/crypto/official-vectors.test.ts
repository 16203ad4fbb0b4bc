import { createCipheriv } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "../../../shared/crypto/bytes.ts";
import { CryptoError } from "../../../shared/crypto/provider.ts";
import { providers, publishedVectors } from "./providers.ts";

const x25519 = publishedVectors<{
  scalarMultiplications: { scalar: string; u: string; result: string }[];
  iterated: Record<"1" | "1000", string>;
  keyAgreement: Record<"aliceSecret" | "alicePublic" | "bobSecret" | "bobPublic" | "shared", string>;
}>("x25519-rfc7748");
const ed25519 = publishedVectors<{ cases: Record<"name" | "seed" | "publicKey" | "message" | "signature", string>[] }>(
  "ed25519-rfc8032",
);
const chachaPoly = publishedVectors<{
  cases: Record<"name" | "key" | "nonce" | "associatedData" | "plaintext" | "box", string>[];
}>("chacha20-poly1305-rfc8439");
const hkdf = publishedVectors<{ cases: Record<"name" | "inputKey" | "salt" | "info" | "output", string>[] }>(
  "hkdf-rfc5869",
);
const sha256 = publishedVectors<{ cases: { text: string; repeated?: number; digest: string }[] }>("sha256-fips180-4");
const aesCtr = publishedVectors<{
  "sp800-38a": Record<"key" | "counter" | "plaintext" | "ciphertext", string>;
  gcm: Record<"key" | "keystream", string>;
}>("aes256-ctr");

describe.each(providers)("$name provider, published vectors", (provider) => {
  it("X25519: RFC 7748 section 5.2, first vector", () => {
    const [{ scalar, u, result }] = x25519.scalarMultiplications;
    expect(toHex(provider.importX25519(fromHex(scalar)).agree(fromHex(u)))).toBe(result);
  });

  it("X25519: RFC 7748 section 5.2, second vector, whose top bit the RFC masks and suite 1 refuses", () => {
    const { scalar, u, result } = x25519.scalarMultiplications[1];
    const key = provider.importX25519(fromHex(scalar));
    const point = fromHex(u);
    expect(() => key.agree(point)).toThrow(CryptoError);
    point[31] &= 0x7f;
    expect(toHex(key.agree(point))).toBe(result);
  });

  it("X25519: RFC 7748 section 5.2, 1,000 iterations", () => {
    let k = Uint8Array.of(9, ...new Uint8Array(31)) as Uint8Array;
    let u = k;
    for (let i = 1; i <= 1000; i++) {
      [k, u] = [provider.importX25519(k).agree(u), k];
      if (i === 1) expect(toHex(k)).toBe(x25519.iterated[1]);
    }
    expect(toHex(k)).toBe(x25519.iterated[1000]);
  });

  it("X25519: RFC 7748 section 6.1, key agreement", () => {
    const { aliceSecret, alicePublic, bobSecret, bobPublic, shared } = x25519.keyAgreement;
    const alice = provider.importX25519(fromHex(aliceSecret));
    const bob = provider.importX25519(fromHex(bobSecret));
    expect(toHex(alice.publicKey)).toBe(alicePublic);
    expect(toHex(bob.publicKey)).toBe(bobPublic);
    expect(toHex(alice.agree(bob.publicKey))).toBe(shared);
    expect(toHex(bob.agree(alice.publicKey))).toBe(shared);
    expect(toHex(alice.exportSecret())).toBe(aliceSecret);
  });

  it.each(ed25519.cases)("Ed25519: RFC 8032 section 7.1, $name", ({ seed, publicKey, message, signature }) => {
    const key = provider.importEd25519(fromHex(seed));
    expect(toHex(key.publicKey)).toBe(publicKey);
    expect(toHex(key.exportSeed())).toBe(seed);
    expect(toHex(key.sign(fromHex(message)))).toBe(signature);
    expect(provider.verifyEd25519(fromHex(publicKey), fromHex(message), fromHex(signature))).toBe(true);
    expect(provider.verifyEd25519(fromHex(publicKey), fromHex(`${message}00`), fromHex(signature))).toBe(false);
  });

  it.each(chachaPoly.cases)("ChaCha20-Poly1305: RFC 8439 $name", ({ key, nonce, associatedData, plaintext, box }) => {
    const [k, n, ad] = [fromHex(key), fromHex(nonce), fromHex(associatedData)];
    expect(toHex(provider.seal(k, n, fromHex(plaintext), ad))).toBe(box);
    expect(toHex(provider.open(k, n, fromHex(box), ad) ?? new Uint8Array(0))).toBe(plaintext);
  });

  it.each(hkdf.cases)("HKDF-SHA256: RFC 5869 appendix $name", ({ inputKey, salt, info, output }) => {
    const derived = provider.hkdf(fromHex(inputKey), fromHex(salt), fromHex(info), output.length / 2);
    expect(toHex(derived)).toBe(output);
  });

  it.each(sha256.cases)("SHA-256: FIPS 180-4, $text", ({ text, repeated = 1, digest }) => {
    const message = new TextEncoder().encode(text.repeat(repeated));
    expect(toHex(provider.sha256(message))).toBe(digest);
    const middle = message.length >> 1;
    expect(toHex(provider.sha256(message.subarray(0, middle), message.subarray(middle)))).toBe(digest);
  });

  it("AES-256-CTR: the blocks that the GCM test cases publish, in order and by seeking", () => {
    const key = fromHex(aesCtr.gcm.key);
    expect(toHex(provider.keystream(key).next(48))).toBe(aesCtr.gcm.keystream);
    expect(toHex(provider.keystream(key, 0).next(16))).toBe(aesCtr.gcm.keystream.slice(0, 32));
    expect(toHex(provider.keystream(key, 1).next(32))).toBe(aesCtr.gcm.keystream.slice(32));
  });

  it("AES-256-CTR: SP 800-38A F.5.5, through a reference that counts in BigInt", () => {
    const { key, counter, plaintext, ciphertext } = aesCtr["sp800-38a"];
    // F.5.5 starts at a counter beyond any block offset, so it holds the reference, and the reference the provider.
    const published = fromHex(ciphertext).map((byte, i) => byte ^ fromHex(plaintext)[i]);
    expect(toHex(counterModeReference(fromHex(key), BigInt(`0x${counter}`), 4))).toBe(toHex(published));
    for (const offset of [0, 1, 2 ** 32 - 2, 2 ** 40 - 1, Number.MAX_SAFE_INTEGER - 1]) {
      const expected = counterModeReference(fromHex(key), BigInt(offset), 5);
      expect(toHex(provider.keystream(fromHex(key), offset).next(80))).toBe(toHex(expected));
    }
  });
});

/** SP 800-38A section 6.5 as it is written: O_j = CIPH_K(T_j), T_j the counter as 128 big-endian bits. */
function counterModeReference(key: Uint8Array, counter: bigint, blocks: number): Uint8Array {
  const inputs = Array.from({ length: blocks }, (_, j) =>
    fromHex((counter + BigInt(j)).toString(16).padStart(32, "0")),
  );
  return createCipheriv("aes-256-ecb", key, null).update(concatBytes(...inputs));
}
