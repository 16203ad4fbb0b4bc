import type { SecureRandom } from "../random/secure-random.ts";

/**
 * The primitives of suite 1, and nothing else. Two providers implement it: `node-provider` (node:crypto) and
 * `portable-provider` (tweetnacl and noble, for browsers on insecure origins). Both reject the same inputs; a contract
 * test runs over both.
 *
 * `import { cryptoProvider } from "#crypto-provider"` gives the right one for the platform.
 *
 * Answers are plain arrays that the caller owns; arguments are never kept or written to. A key, nonce, secret or length
 * of the wrong size throws {@link CryptoError}.
 */
export interface CryptoProvider {
  readonly name: "node" | "portable";
  readonly random: SecureRandom;

  /** SHA-256 of the concatenation of `parts` (FIPS 180-4). 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;

  /** HKDF-SHA256, extract then expand (RFC 5869). `length` is 1 … 255 · 32 bytes. */
  hkdf(inputKey: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;

  /** A fresh X25519 key from the operating system's randomness. */
  generateX25519(): X25519Key;
  /** Imports a raw 32-byte scalar, clamped as RFC 7748 section 5 says when it is used. */
  importX25519(secret: Uint8Array): X25519Key;
  /** Canonical (u < p, top bit clear) and not of low order. What {@link X25519Key.agree} would refuse, this refuses. */
  isValidX25519PublicKey(publicKey: Uint8Array): boolean;

  generateEd25519(): Ed25519Key;
  /** Imports a raw 32-byte seed (RFC 8032 section 5.1.5). */
  importEd25519(seed: Uint8Array): Ed25519Key;
  /**
   * RFC 8032 verification, strict: false for S ≥ L, non-canonical A or R, A or R of small order, wrong
   * lengths. Never throws.
   * The equation is the one without cofactor, [S]B = R + [k]A: with it, and only with it, do both providers agree on
   * signatures whose R or A has a small-order component.
   */
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  /** ChaCha20-Poly1305 (RFC 8439). Key 32 bytes, nonce 12 bytes. Returns ciphertext ‖ 16-byte tag. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array;
  /** The plaintext, or undefined when the tag does not verify or the box is too short. */
  open(key: Uint8Array, nonce: Uint8Array, box: Uint8Array, associatedData: Uint8Array): Uint8Array | undefined;

  /**
   * AES-256-CTR (NIST SP 800-38A), 128-bit big-endian counter starting at `blockOffset`. Key 32 bytes. An offset is a
   * safe integer, in blocks of 16 bytes, so the counter never wraps.
   */
  keystream(key: Uint8Array, blockOffset?: number): Keystream;
}

/** A stream of key bytes, read in order. */
export interface Keystream {
  /**
   * The next `byteLength` bytes; the array is only valid until the next call. It starts at a multiple of 8 bytes of its
   * buffer, so wider lanes can be viewed in place. Chunks of 64 to 128 KiB are fastest.
   */
  next(byteLength: number): Uint8Array;
}

/** An X25519 key pair. The scalar is imported once; agreeing is then as cheap as the platform allows. */
export interface X25519Key {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** A copy of the raw 32-byte scalar, unclamped as it was drawn. */
  exportSecret(): Uint8Array;
  /**
   * The shared secret, 32 bytes (RFC 7748 section 6.1).
   * @throws {CryptoError} when the peer's key is not canonical or of low order, or the result would be all zero.
   */
  agree(peerPublicKey: Uint8Array): Uint8Array;
  /** Forgets the scalar, as far as the platform lets it. Agreeing and exporting then throw {@link CryptoError}. */
  wipe(): void;
}

export interface Ed25519Key {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The raw 32-byte seed. */
  exportSeed(): Uint8Array;
  /** 64-byte signature. */
  sign(message: Uint8Array): Uint8Array;
}

/** An input that the suite refuses: a bad key, a wrong length. Never carries the bytes themselves. */
export class CryptoError extends Error {
  override readonly name = "CryptoError";
}
