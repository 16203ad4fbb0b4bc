import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomFillSync,
  sign,
  verify,
} from "node:crypto";
import { concatBytes } from "./bytes.ts";
import {
  isEd25519InputAcceptable,
  isX25519PublicKeyAcceptable,
  requireInteger,
  requireLength,
  requireNonZero,
} from "./input-checks.ts";
import { CryptoError, type CryptoProvider, type Ed25519Key, type Keystream, type X25519Key } from "./provider.ts";

/**
 * Suite 1 on node:crypto (OpenSSL).
 *
 * Keys are drawn as raw bytes and imported as JWK: importing a peer's key as DER costs ten times as much, and Node 20 can
 * deadlock when a key made by `generateKeyPairSync` is exported as JWK (a garbage collection inside the export takes a
 * mutex that the export holds). The price of JWK is a base64url string of the secret, which no one can overwrite; it
 * lives until the next collections, as does OpenSSL's own copy after {@link X25519Key.wipe}.
 */
export const cryptoProvider: CryptoProvider = {
  name: "node",
  random: { kind: "secure", bytes: randomBytes },

  sha256(...parts) {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return withoutBuffer(hash.digest());
  },

  hkdf(inputKey, salt, info, length) {
    requireInteger("HKDF output length", length, 1, 255 * 32);
    // Two createHmac calls for the usual 32 bytes: a third of what hkdfSync costs.
    const pseudorandomKey = createHmac("sha256", salt).update(inputKey).digest();
    const output = new Uint8Array(length);
    let block = new Uint8Array(0);
    for (let offset = 0, counter = 1; offset < length; offset += 32, counter++) {
      const hmac = createHmac("sha256", pseudorandomKey).update(block).update(info);
      block = withoutBuffer(hmac.update(Uint8Array.of(counter)).digest());
      output.set(block.subarray(0, length - offset), offset);
    }
    return output;
  },

  generateX25519: () => x25519Key(randomBytes(32)),
  importX25519(secret) {
    requireLength("X25519 secret key", secret, 32);
    return x25519Key(new Uint8Array(secret));
  },
  isValidX25519PublicKey: isX25519PublicKeyAcceptable,

  generateEd25519: () => ed25519Key(randomBytes(32)),
  importEd25519(seed) {
    requireLength("Ed25519 seed", seed, 32);
    return ed25519Key(new Uint8Array(seed));
  },
  verifyEd25519(publicKey, message, signature) {
    if (!isEd25519InputAcceptable(publicKey, signature)) return false;
    return verify(null, message, importPublicKey("Ed25519", publicKey), signature);
  },

  seal(key, nonce, plaintext, associatedData) {
    requireLength("ChaCha20-Poly1305 key", key, 32);
    // OpenSSL would take a shorter nonce and pad it.
    requireLength("ChaCha20-Poly1305 nonce", nonce, 12);
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
    cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return concatBytes(ciphertext, cipher.getAuthTag());
  },

  open(key, nonce, box, associatedData) {
    requireLength("ChaCha20-Poly1305 key", key, 32);
    requireLength("ChaCha20-Poly1305 nonce", nonce, 12);
    if (box.length < TAG_LENGTH) return undefined;
    const plaintextLength = box.length - TAG_LENGTH;
    const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
    decipher.setAAD(associatedData, { plaintextLength });
    decipher.setAuthTag(box.subarray(plaintextLength));
    const plaintext = decipher.update(box.subarray(0, plaintextLength));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return withoutBuffer(plaintext);
  },

  keystream(key, blockOffset = 0) {
    requireLength("AES-256 key", key, 32);
    requireInteger("AES-CTR block offset", blockOffset, 0);
    return aesCtrKeystream(key, blockOffset);
  },
};

const TAG_LENGTH = 16;

/** Where `cipher.update`, which allocates its output at every call, is fastest. */
const KEYSTREAM_CHUNK = 128 * 1024;
const ZEROS = new Uint8Array(KEYSTREAM_CHUNK);

function aesCtrKeystream(key: Uint8Array, blockOffset: number): Keystream {
  const counter = new Uint8Array(16);
  new DataView(counter.buffer).setBigUint64(8, BigInt(blockOffset));
  const cipher = createCipheriv("aes-256-ctr", key, counter);
  return {
    next(byteLength) {
      requireInteger("keystream length", byteLength, 0);
      if (byteLength <= KEYSTREAM_CHUNK) return withoutBuffer(cipher.update(ZEROS.subarray(0, byteLength)));
      const stream = new Uint8Array(byteLength);
      for (let offset = 0; offset < byteLength; offset += KEYSTREAM_CHUNK) {
        stream.set(cipher.update(ZEROS.subarray(0, Math.min(KEYSTREAM_CHUNK, byteLength - offset))), offset);
      }
      return stream;
    },
  };
}

/** u = 9: X25519 with it gives the public key (RFC 7748 section 6.1), in half the time that a DER export takes. */
const X25519_BASE_POINT = importPublicKey("X25519", Uint8Array.of(9, ...new Uint8Array(31)));

/** Takes `secret` over: {@link X25519Key.wipe} overwrites it. */
function x25519Key(secret: Uint8Array): X25519Key {
  let privateKey: KeyObject | undefined = importPrivateKey("X25519", secret);
  const publicKey = withoutBuffer(diffieHellman({ privateKey, publicKey: X25519_BASE_POINT }));
  return {
    publicKey,
    exportSecret() {
      if (privateKey === undefined) throw new CryptoError("X25519 key: already wiped");
      return new Uint8Array(secret);
    },
    agree(peerPublicKey) {
      if (privateKey === undefined) throw new CryptoError("X25519 key: already wiped");
      if (!isX25519PublicKeyAcceptable(peerPublicKey)) throw new CryptoError("X25519 public key: refused");
      const shared = diffieHellman({ privateKey, publicKey: importPublicKey("X25519", peerPublicKey) });
      requireNonZero("X25519 shared secret", shared);
      return withoutBuffer(shared);
    },
    wipe() {
      secret.fill(0);
      privateKey = undefined;
    },
  };
}

function ed25519Key(seed: Uint8Array): Ed25519Key {
  const privateKey = importPrivateKey("Ed25519", seed);
  const subjectPublicKeyInfo = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    // RFC 8410 section 4: the key is the last 32 bytes.
    publicKey: new Uint8Array(subjectPublicKeyInfo.subarray(-32)),
    exportSeed: () => new Uint8Array(seed),
    sign: (message) => withoutBuffer(sign(null, message, privateKey)),
  };
}

type Curve = "X25519" | "Ed25519";

/** Node asks for an `x` in a private JWK and ignores its value. */
const IGNORED_PUBLIC_KEY = base64url(new Uint8Array(32));

function importPrivateKey(crv: Curve, secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: { kty: "OKP", crv, d: base64url(secret), x: IGNORED_PUBLIC_KEY }, format: "jwk" });
}

function importPublicKey(crv: Curve, publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv, x: base64url(publicKey) }, format: "jwk" });
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  requireInteger("random length", length, 0);
  return randomFillSync(new Uint8Array(length));
}

/** The same memory as a plain Uint8Array: a Buffer's `slice` shares memory where a Uint8Array's copies. */
function withoutBuffer<T extends ArrayBufferLike>(buffer: Buffer<T>): Uint8Array<T> {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
