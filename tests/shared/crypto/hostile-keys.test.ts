import { ed25519 as noble } from "@noble/curves/ed25519.js";
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "../../../shared/crypto/bytes.ts";
import { isEd25519InputAcceptable } from "../../../shared/crypto/input-checks.ts";
import { CryptoError } from "../../../shared/crypto/provider.ts";
import { providers, publishedVectors, smallOrderPoints } from "./providers.ts";

const FIELD_PRIME = 2n ** 255n - 19n;
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const littleEndian = (value: bigint) => numberToBytesLE(value, 32);

const points = smallOrderPoints();
const edgeCases = publishedVectors<{
  cases: { name: string; publicKey: string; message: string; signature: string; accepted: boolean }[];
}>("ed25519-edge-cases");
const message = new TextEncoder().encode("round 7");

/** A verification without suite 1's checks: ZIP 215 takes small-order and unreduced points, as OpenSSL did before 3.5. */
function laxlyVerifies(publicKey: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  return noble.verify(signature, signed, publicKey, { zip215: true });
}

/**
 * A signature that anyone can make under a small-order key: S = 0 and R = −[k]A, which is of small order too, found by
 * trying messages. Undefined when a verification without the checks takes none.
 */
function forgeWithoutSecret(publicKey: Uint8Array): { signed: Uint8Array; signature: Uint8Array } | undefined {
  for (let attempt = 0; attempt < 16; attempt++) {
    const signed = Uint8Array.of(attempt);
    for (const r of points.canonical) {
      const signature = concatBytes(r, new Uint8Array(32));
      if (laxlyVerifies(publicKey, signed, signature)) return { signed, signature };
    }
  }
  return undefined;
}

describe.each(providers)("$name provider against hostile keys and signatures", (provider) => {
  it.each(edgeCases.cases)("Taming the many EdDSAs, $name: accepted $accepted", (edge) => {
    const [publicKey, signed, signature] = [edge.publicKey, edge.message, edge.signature].map(fromHex);
    expect(provider.verifyEd25519(publicKey, signed, signature)).toBe(edge.accepted);
  });

  it.each([...points.canonical, ...points.nonCanonical].map((point) => [toHex(point), point] as const))(
    "refuses the small-order Ed25519 key %s, for which anyone can sign",
    (_, publicKey) => {
      const forgery = forgeWithoutSecret(publicKey);
      expect(forgery).toBeDefined();
      expect(provider.verifyEd25519(publicKey, forgery!.signed, forgery!.signature)).toBe(false);
    },
  );

  it("refuses the second signature that adding L to S makes of a first", () => {
    const key = provider.generateEd25519();
    const signature = key.sign(message);
    const s = bytesToNumberLE(signature.subarray(32));
    expect(provider.verifyEd25519(key.publicKey, message, signature)).toBe(true);
    for (let multiple = s + GROUP_ORDER; multiple < 2n ** 256n; multiple += GROUP_ORDER) {
      const malleated = concatBytes(signature.subarray(0, 32), littleEndian(multiple));
      expect(provider.verifyEd25519(key.publicKey, message, malleated)).toBe(false);
    }
    // tweetnacl's own verify takes it.
    const once = concatBytes(signature.subarray(0, 32), littleEndian(s + GROUP_ORDER));
    expect(nacl.sign.detached.verify(message, once, key.publicKey)).toBe(true);
  });

  it("refuses R of small order, from a key holder too, in every encoding", () => {
    const seed = provider.random.bytes(32);
    const { publicKey } = provider.importEd25519(seed);
    const { scalar } = noble.utils.getExtendedPublicKey(seed);
    const signWithR = (r: Uint8Array) => {
      const k = challenge(r, publicKey, message);
      return concatBytes(r, littleEndian((k * scalar) % GROUP_ORDER));
    };
    const [identity] = points.canonical;
    expect(laxlyVerifies(publicKey, message, signWithR(identity))).toBe(true);
    for (const r of [...points.canonical, ...points.nonCanonical]) {
      expect(provider.verifyEd25519(publicKey, message, signWithR(r))).toBe(false);
    }
    const unreduced = littleEndian(FIELD_PRIME + 1n);
    // ZIP 215 reads that R as the identity: the signature satisfies the equation and fails on its encoding alone.
    expect(noble.verify(signWithR(unreduced), message, publicKey, { zip215: true })).toBe(true);
    expect(provider.verifyEd25519(publicKey, message, signWithR(unreduced))).toBe(false);
  });

  it("refuses every y from p to 2^255 − 1 as a key or as R, with either sign", () => {
    const key = provider.generateEd25519();
    const signature = key.sign(message);
    for (let y = FIELD_PRIME; y < 2n ** 255n; y++) {
      for (const sign of [0n, 1n << 255n]) {
        const encoding = littleEndian(y + sign);
        expect(provider.verifyEd25519(encoding, message, signature)).toBe(false);
        const withR = concatBytes(encoding, signature.subarray(32));
        expect(provider.verifyEd25519(key.publicKey, message, withR)).toBe(false);
      }
    }
  });

  it("answers false, and does not throw, for a key that is no point and for wrong lengths", () => {
    const key = provider.generateEd25519();
    const signature = key.sign(message);
    const notOnCurve = littleEndian(2n);
    expect(() => noble.Point.fromBytes(notOnCurve)).toThrow();
    expect(provider.verifyEd25519(notOnCurve, message, signature)).toBe(false);
    for (const length of [0, 31, 33, 64]) {
      expect(provider.verifyEd25519(new Uint8Array(length).fill(3), message, signature)).toBe(false);
    }
    for (const length of [0, 32, 63, 65, 128]) {
      const resized = new Uint8Array(length);
      resized.set(signature.subarray(0, length));
      expect(provider.verifyEd25519(key.publicKey, message, resized)).toBe(false);
    }
  });

  it.each(points.x25519.map((point) => [toHex(point), point] as const))(
    "refuses the low-order X25519 key %s, whose shared secret everyone knows",
    (_, publicKey) => {
      const key = provider.generateX25519();
      // tweetnacl answers zeros without a word. The last five of the list are of low order where the top bit counts.
      const shared = nacl.scalarMult(key.exportSecret(), publicKey);
      if (publicKey[31] < 0x80) expect(toHex(shared)).toBe("00".repeat(32));
      expect(provider.isValidX25519PublicKey(publicKey)).toBe(false);
      expect(() => key.agree(publicKey)).toThrow(CryptoError);
    },
  );

  it("refuses a second encoding of an X25519 key: u ≥ p or the top bit set", () => {
    const key = provider.generateX25519();
    const peer = provider.generateX25519().publicKey;
    const withTopBit = Uint8Array.from(peer);
    withTopBit[31] |= 0x80;
    const unreduced = Array.from({ length: 19 }, (_, i) => littleEndian(FIELD_PRIME + BigInt(i)));
    for (const encoding of [withTopBit, ...unreduced]) {
      expect(provider.isValidX25519PublicKey(encoding)).toBe(false);
      expect(() => key.agree(encoding)).toThrow(CryptoError);
    }
    // The neighbours below p are keys like any other.
    for (const u of [FIELD_PRIME - 2n, FIELD_PRIME - 19n, 2n, 9n]) {
      expect(provider.isValidX25519PublicKey(littleEndian(u))).toBe(true);
      expect(key.agree(littleEndian(u))).toHaveLength(32);
    }
  });

  it("refuses X25519 keys of a wrong length", () => {
    const key = provider.generateX25519();
    for (const length of [0, 31, 33, 64]) {
      expect(provider.isValidX25519PublicKey(new Uint8Array(length).fill(9))).toBe(false);
      expect(() => key.agree(new Uint8Array(length).fill(9))).toThrow(CryptoError);
    }
  });
});

it("the range of S ends at L − 1", () => {
  const key = providers[0].generateEd25519();
  const r = key.sign(message).subarray(0, 32);
  const withS = (s: bigint) => isEd25519InputAcceptable(key.publicKey, concatBytes(r, littleEndian(s)));
  expect([0n, GROUP_ORDER - 1n].map(withS)).toEqual([true, true]);
  expect([GROUP_ORDER, GROUP_ORDER + 1n, 2n ** 255n, 2n ** 256n - 1n].map(withS)).toEqual([false, false, false, false]);
});

/** k = SHA-512(R ‖ A ‖ M) mod L (RFC 8032 section 5.1.7). */
function challenge(r: Uint8Array, publicKey: Uint8Array, signed: Uint8Array): bigint {
  return bytesToNumberLE(nacl.hash(concatBytes(r, publicKey, signed))) % GROUP_ORDER;
}
