import {
  CryptoError,
  type CryptoProvider,
  type Ed25519Key,
  type Keystream,
  type X25519Key,
} from "../../shared/crypto/provider.ts";

/**
 * The same provider, which remembers what it has computed: keys, agreements, signatures and verdicts, derived keys, boxes
 * and the beginnings of key streams. Thousands of sessions with the same devices then cost little more than their
 * messages. What it answers does not change; what it holds is bounded.
 */
export function memoisedProvider(provider: CryptoProvider): CryptoProvider {
  const x25519 = memory<X25519Key>();
  const ed25519 = memory<Ed25519Key>();
  const agreed = memory<Uint8Array>();
  const signatures = memory<Uint8Array>();
  const verdicts = memory<boolean>();
  const derived = memory<Uint8Array>();
  const sealed = memory<Uint8Array>();
  const opened = memory<Uint8Array | undefined>();
  const streams = memory<Uint8Array>();

  function importX25519(secret: Uint8Array): X25519Key {
    const name = nameOf(secret);
    const key = x25519(name, () => provider.importX25519(secret));
    let wiped = false;
    const requireSecret = () => {
      if (wiped) throw new CryptoError("X25519 key: already wiped");
    };
    return {
      publicKey: key.publicKey.slice(),
      exportSecret() {
        requireSecret();
        return key.exportSecret();
      },
      agree(peer) {
        requireSecret();
        // Callers overwrite what they were given, here and below.
        return agreed(name + nameOf(peer), () => key.agree(peer)).slice();
      },
      wipe() {
        wiped = true;
      },
    };
  }

  return {
    ...provider,
    generateX25519: () => importX25519(provider.random.bytes(32)),
    importX25519,
    importEd25519(seed) {
      const name = nameOf(seed);
      const key = ed25519(name, () => provider.importEd25519(seed));
      return { ...key, sign: (message) => signatures(nameOf(seed, message), () => key.sign(message)).slice() };
    },
    verifyEd25519: (publicKey, message, signature) =>
      verdicts(nameOf(publicKey, signature, message), () => provider.verifyEd25519(publicKey, message, signature)),
    hkdf: (inputKey, salt, info, length) =>
      derived(`${length} ${nameOf(inputKey, salt, info)}`, () => provider.hkdf(inputKey, salt, info, length)).slice(),
    seal: (key, nonce, plaintext, associatedData) =>
      sealed(nameOf(key, nonce, plaintext, associatedData), () =>
        provider.seal(key, nonce, plaintext, associatedData),
      ).slice(),
    open: (key, nonce, box, associatedData) =>
      opened(nameOf(key, nonce, box, associatedData), () => provider.open(key, nonce, box, associatedData))?.slice(),
    keystream(key, blockOffset = 0) {
      const whole = () => provider.keystream(key, blockOffset);
      return remembered(
        whole,
        streams(`${blockOffset} ${nameOf(key)}`, () => whole().next(BEGINNING).slice()),
      );
    },
  };
}

/** Bytes of a key stream that are kept: the vectors of most sessions are shorter. */
const BEGINNING = 512;

function remembered(whole: () => Keystream, beginning: Uint8Array): Keystream {
  let taken = 0;
  let stream: Keystream | undefined;
  return {
    next(byteLength) {
      if (stream === undefined && taken + byteLength <= BEGINNING) {
        taken += byteLength;
        return beginning.slice(taken - byteLength, taken);
      }
      if (stream === undefined) {
        stream = whole();
        stream.next(taken);
      }
      return stream.next(byteLength);
    },
  };
}

const MOST = 8192;

/** Forgets everything when it is full. An answer that was thrown is not remembered. */
function memory<Value>(): (name: string, compute: () => Value) => Value {
  const known = new Map<string, Value>();
  return (name, compute) => {
    if (known.has(name)) return known.get(name) as Value;
    const value = compute();
    if (known.size >= MOST) known.clear();
    known.set(name, value);
    return value;
  };
}

/** All lengths but the last part's are fixed in each use, so that no two inputs have one name. */
function nameOf(...parts: readonly Uint8Array[]): string {
  let name = "";
  for (const part of parts) {
    name += Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("latin1");
  }
  return name;
}
