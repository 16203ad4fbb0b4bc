import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { equalBytes, toHex } from "../../../shared/crypto/bytes.ts";
import { CryptoError } from "../../../shared/crypto/provider.ts";
import { providers } from "./providers.ts";

const empty = new Uint8Array(0);

/** Every way in which a log line could come to hold these bytes. */
function spellings(secret: Uint8Array): string[] {
  const buffer = Buffer.from(secret);
  return [
    buffer.toString("hex"),
    buffer.toString("base64").slice(0, 40),
    buffer.toString("base64url").slice(0, 40),
    secret.slice(0, 8).join(","),
    secret.slice(0, 8).join(", "),
    buffer.toString("hex").slice(0, 16).match(/../g)!.join(" "),
  ];
}

function expectNoSecret(printed: string, secret: Uint8Array): void {
  for (const spelling of spellings(secret)) expect(printed.toLowerCase()).not.toContain(spelling.toLowerCase());
}

describe.each(providers)("$name provider", (provider) => {
  const patterned = (length: number) => Uint8Array.from({ length }, (_, i) => 0xa1 + 7 * i);

  it("draws fresh keys and bytes, also more than the 65,536 that a browser gives at once", () => {
    expect(equalBytes(provider.generateX25519().publicKey, provider.generateX25519().publicKey)).toBe(false);
    expect(equalBytes(provider.generateEd25519().publicKey, provider.generateEd25519().publicKey)).toBe(false);
    expect(provider.random.kind).toBe("secure");
    const bytes = provider.random.bytes(200_001);
    expect(bytes).toHaveLength(200_001);
    for (let start = 0; start + 1000 <= bytes.length; start += 1000) {
      // 1,000 random bytes take about 250 of the 256 values: a stretch left at zero would show.
      expect(new Set(bytes.subarray(start, start + 1000)).size).toBeGreaterThan(200);
    }
    expect(provider.random.bytes(0)).toHaveLength(0);
  });

  it("a wiped X25519 key agrees with no one and exports nothing", () => {
    const secret = provider.random.bytes(32);
    const key = provider.importX25519(secret);
    const peer = provider.generateX25519();
    const exported = key.exportSecret();
    key.wipe();
    key.wipe();
    expect(() => key.agree(peer.publicKey)).toThrow(CryptoError);
    expect(() => key.exportSecret()).toThrow(CryptoError);
    // The caller's copies are the caller's.
    expect(toHex(exported)).toBe(toHex(secret));
    expect(toHex(key.publicKey)).toBe(toHex(provider.importX25519(secret).publicKey));
  });

  it("keys do not change when arrays that went in or came out do", () => {
    const seed = provider.random.bytes(32);
    const original = toHex(seed);
    const message = Uint8Array.of(1);
    const edKey = provider.importEd25519(seed);
    const publicKey = Uint8Array.from(edKey.publicKey);
    const before = toHex(edKey.sign(message));
    seed.fill(0);
    edKey.exportSeed().fill(0);
    edKey.publicKey.fill(0);
    expect(toHex(edKey.exportSeed())).toBe(original);
    // Signing with a public key that a caller altered would give away the secret scalar.
    expect(toHex(edKey.sign(message))).toBe(before);
    expect(provider.verifyEd25519(publicKey, message, edKey.sign(message))).toBe(true);

    const secret = provider.random.bytes(32);
    const xKey = provider.importX25519(secret);
    const peer = provider.generateX25519().publicKey;
    const shared = toHex(xKey.agree(peer));
    secret.fill(0);
    xKey.exportSecret().fill(0);
    xKey.agree(peer).fill(0);
    expect(toHex(xKey.agree(peer))).toBe(shared);
  });

  it("prints no secret: neither keys nor errors hold one", () => {
    const secret = patterned(32);
    const x25519 = provider.importX25519(secret);
    const ed25519 = provider.importEd25519(secret);
    for (const key of [x25519, ed25519]) {
      expectNoSecret(inspect(key, { depth: 9, showHidden: true, maxArrayLength: 99 }), secret);
      expectNoSecret(JSON.stringify(key), secret);
    }
    const refused = [
      () => provider.importX25519(patterned(31)),
      () => provider.importEd25519(patterned(33)),
      () => provider.keystream(patterned(16)),
      () => provider.seal(patterned(31), patterned(12), secret, empty),
      () => x25519.agree(patterned(64)),
    ];
    for (const call of refused) {
      let error: unknown;
      try {
        call();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(CryptoError);
      expectNoSecret(inspect(error, { depth: 9, showHidden: true }), patterned(64));
    }
  });

  it("refuses wrong lengths and counts with CryptoError", () => {
    const key = patterned(32);
    const nonce = patterned(12);
    for (const length of [0, 16, 31, 33, 64]) {
      expect(() => provider.importX25519(new Uint8Array(length))).toThrow(CryptoError);
      expect(() => provider.importEd25519(new Uint8Array(length))).toThrow(CryptoError);
      expect(() => provider.keystream(new Uint8Array(length))).toThrow(CryptoError);
      expect(() => provider.seal(new Uint8Array(length), nonce, empty, empty)).toThrow(CryptoError);
      expect(() => provider.open(new Uint8Array(length), nonce, patterned(16), empty)).toThrow(CryptoError);
    }
    for (const length of [0, 8, 11, 13, 24]) {
      expect(() => provider.seal(key, new Uint8Array(length), empty, empty)).toThrow(CryptoError);
      expect(() => provider.open(key, new Uint8Array(length), patterned(16), empty)).toThrow(CryptoError);
    }
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => provider.keystream(key, count)).toThrow(CryptoError);
      expect(() => provider.keystream(key).next(count)).toThrow(CryptoError);
      expect(() => provider.random.bytes(count)).toThrow(CryptoError);
      expect(() => provider.hkdf(key, empty, empty, count)).toThrow(CryptoError);
    }
    expect(() => provider.hkdf(key, empty, empty, 0)).toThrow(CryptoError);
    expect(() => provider.hkdf(key, empty, empty, 255 * 32 + 1)).toThrow(CryptoError);
  });

  it("opens nothing that was changed: any bit of the box, the nonce, the key or the associated data", () => {
    const [key, nonce, ad] = [patterned(32), patterned(12), patterned(5)];
    const parts = { key, nonce, ad, box: provider.seal(key, nonce, patterned(20), ad) };
    const open = (changed: Record<"key" | "nonce" | "box" | "ad", Uint8Array>) =>
      provider.open(changed.key, changed.nonce, changed.box, changed.ad);
    expect(toHex(open(parts)!)).toBe(toHex(patterned(20)));
    for (const name of ["key", "nonce", "box", "ad"] as const) {
      for (let bit = 0; bit < 8 * parts[name].length; bit++) {
        const changed = Uint8Array.from(parts[name]);
        changed[bit >> 3] ^= 1 << (bit & 7);
        expect(open({ ...parts, [name]: changed })).toBeUndefined();
      }
    }
    for (let length = 0; length < parts.box.length; length++) {
      expect(open({ ...parts, box: parts.box.subarray(0, length) })).toBeUndefined();
    }
    expect(open({ ...parts, ad: empty })).toBeUndefined();
  });

  it("answers with plain arrays, whose slices are copies, and keystreams aligned for wider lanes", () => {
    const key = provider.importX25519(patterned(32));
    const ed25519 = provider.importEd25519(patterned(32));
    const box = provider.seal(patterned(32), patterned(12), patterned(3), empty);
    const stream = provider.keystream(patterned(32));
    const answers = [
      key.publicKey,
      key.exportSecret(),
      key.agree(provider.generateX25519().publicKey),
      ed25519.publicKey,
      ed25519.exportSeed(),
      ed25519.sign(empty),
      provider.sha256(empty),
      provider.hkdf(empty, empty, empty, 42),
      provider.random.bytes(8),
      box,
      provider.open(patterned(32), patterned(12), box, empty),
    ];
    for (const length of [5, 64, 131_072, 3, 131_073, 8]) {
      const chunk = stream.next(length);
      expect(chunk).toHaveLength(length);
      expect(chunk.byteOffset % 8).toBe(0);
      answers.push(chunk);
    }
    for (const answer of answers) expect(Object.getPrototypeOf(answer)).toBe(Uint8Array.prototype);
  });
});
