import { ed25519 as noble } from "@noble/curves/ed25519.js";
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js";
import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../../shared/crypto/provider.ts";
import { nodeProvider, portableProvider, smallOrderPoints } from "./providers.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const text = fc.uint8Array({ maxLength: 300 });

/** Both answers as one value: hexadecimal, a verdict, or the name of the error. */
function bothAnswer(ask: (provider: CryptoProvider) => Uint8Array | boolean | undefined): (string | boolean)[] {
  return [nodeProvider, portableProvider].map((provider) => {
    try {
      const answer = ask(provider);
      return answer instanceof Uint8Array ? toHex(answer) : (answer ?? "nothing");
    } catch (error) {
      return error instanceof Error ? error.name : "not an error";
    }
  });
}

function expectAgreement(ask: (provider: CryptoProvider) => Uint8Array | boolean | undefined): string | boolean {
  const [node, portable] = bothAnswer(ask);
  expect(portable).toBe(node);
  return node;
}

describe("the two providers give the same bytes", () => {
  it("for X25519 public keys and shared secrets", () => {
    fc.assert(
      fc.property(bytes32, bytes32, (secret, peerSecret) => {
        expectAgreement((provider) => provider.importX25519(secret).publicKey);
        const peer = nodeProvider.importX25519(peerSecret).publicKey;
        expect(expectAgreement((provider) => provider.importX25519(secret).agree(peer))).toHaveLength(64);
      }),
      { numRuns: 25 },
    );
  });

  it("for X25519 with any 32 bytes for a peer's key, refused or not", () => {
    const secret = nodeProvider.random.bytes(32);
    const edge = fc.constantFrom(...smallOrderPoints().x25519);
    fc.assert(
      fc.property(fc.oneof(bytes32, edge), (peer) => {
        const verdict = expectAgreement((provider) => provider.isValidX25519PublicKey(peer));
        const shared = expectAgreement((provider) => provider.importX25519(secret).agree(peer));
        expect(shared === "CryptoError").toBe(!verdict);
      }),
      { numRuns: 40 },
    );
  });

  it("for Ed25519 keys and signatures, each verified by the other", () => {
    fc.assert(
      fc.property(bytes32, text, fc.nat(511), (seed, message, bit) => {
        expectAgreement((provider) => provider.importEd25519(seed).publicKey);
        expectAgreement((provider) => provider.importEd25519(seed).sign(message));
        const key = nodeProvider.importEd25519(seed);
        const signature = key.sign(message);
        expect(expectAgreement((provider) => provider.verifyEd25519(key.publicKey, message, signature))).toBe(true);
        signature[bit >> 3] ^= 1 << (bit & 7);
        expect(expectAgreement((provider) => provider.verifyEd25519(key.publicKey, message, signature))).toBe(false);
      }),
      { numRuns: 12 },
    );
  });

  it("for signatures whose key or R carries a small-order component: the cofactor is never multiplied in", () => {
    const torsion = smallOrderPoints().canonical.map((point) => noble.Point.fromBytes(point));
    const verdicts = new Set<string | boolean>();
    fc.assert(
      fc.property(bytes32, fc.nat(7), fc.nat(7), (seed, onKey, onR) => {
        const { signature, publicKey, message } = signWithTorsion(seed, torsion[onKey], torsion[onR]);
        // With the cofactor each of them would pass.
        expect(noble.verify(signature, message, publicKey, { zip215: false })).toBe(true);
        verdicts.add(expectAgreement((provider) => provider.verifyEd25519(publicKey, message, signature)));
      }),
      { numRuns: 50 },
    );
    expect(verdicts).toEqual(new Set([true, false]));
  });

  it("for hashes, however the input is cut", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), (parts) => {
        const digest = expectAgreement((provider) => provider.sha256(...parts));
        expect(toHex(nodeProvider.sha256(concatBytes(...parts)))).toBe(digest);
      }),
    );
  });

  it("for derived keys of every length", () => {
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 1, max: 300 }), (inputKey, salt, info, length) => {
        expect(expectAgreement((provider) => provider.hkdf(inputKey, salt, info, length))).toHaveLength(2 * length);
      }),
    );
    expectAgreement((provider) => provider.hkdf(Uint8Array.of(1), new Uint8Array(0), new Uint8Array(0), 255 * 32));
  });

  it("for sealed boxes, each opened by the other", () => {
    const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(bytes32, nonce, text, text, (key, n, plaintext, associatedData) => {
        expectAgreement((provider) => provider.seal(key, n, plaintext, associatedData));
        const box = nodeProvider.seal(key, n, plaintext, associatedData);
        const opened = expectAgreement((provider) => provider.open(key, n, box, associatedData));
        expect(opened).toBe(toHex(plaintext));
      }),
    );
  });

  it("for keystreams, read in any pieces from any block", () => {
    const offset = fc.oneof(fc.constantFrom(2 ** 32 - 1, Number.MAX_SAFE_INTEGER), fc.maxSafeNat());
    fc.assert(
      fc.property(bytes32, offset, fc.array(fc.nat(100), { maxLength: 6 }), (key, blockOffset, lengths) => {
        const whole = nodeProvider.keystream(key, blockOffset).next(lengths.reduce((sum, length) => sum + length, 0));
        const inPieces = expectAgreement((provider) => {
          const stream = provider.keystream(key, blockOffset);
          return concatBytes(...lengths.map((length) => Uint8Array.from(stream.next(length))));
        });
        expect(inPieces).toBe(toHex(whole));
      }),
    );
    const longerThanOneChunk = 128 * 1024 + 20;
    expectAgreement((provider) => provider.keystream(new Uint8Array(32), 3).next(longerThanOneChunk));
  });
});

type Point = typeof noble.Point.BASE;

/** A key a·B + T and a signature r·B + T' ‖ r + k·a: valid up to components of small order. */
function signWithTorsion(seed: Uint8Array, onKey: Point, onR: Point) {
  const message = Uint8Array.of(1, 2, 3);
  const { scalar, point } = noble.utils.getExtendedPublicKey(seed);
  const order = noble.Point.Fn.ORDER;
  const nonce = (bytesToNumberLE(nacl.hash(seed)) % (order - 1n)) + 1n;
  const publicKey = point.add(onKey).toBytes();
  const r = noble.Point.BASE.multiply(nonce).add(onR).toBytes();
  const k = bytesToNumberLE(nacl.hash(concatBytes(r, publicKey, message))) % order;
  const signature = concatBytes(r, numberToBytesLE((nonce + k * scalar) % order, 32));
  return { signature, publicKey, message };
}
