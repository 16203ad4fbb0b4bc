import type { CryptoProvider, Ed25519Key, X25519Key } from "../../shared/crypto/provider.ts";

/** A provider that keeps a copy of every secret that passes through it, and the arrays themselves. */
export interface SecretSpy {
  readonly provider: CryptoProvider;
  /** Copies, in order: scalars, seeds, polynomials, shares, agreed secrets, channel and mask keys. */
  readonly secrets: readonly Uint8Array[];
  /** The very arrays that were handed out, which their owners have to overwrite. */
  readonly handedOut: readonly { readonly what: string; readonly bytes: Uint8Array }[];
  readonly x25519Keys: readonly X25519Key[];
}

export function spyOnSecrets(provider: CryptoProvider): SecretSpy {
  const secrets: Uint8Array[] = [];
  const handedOut: { what: string; bytes: Uint8Array }[] = [];
  const x25519Keys: X25519Key[] = [];

  function hand(what: string, bytes: Uint8Array): Uint8Array {
    secrets.push(new Uint8Array(bytes));
    handedOut.push({ what, bytes });
    return bytes;
  }

  function watchX25519(key: X25519Key): X25519Key {
    secrets.push(key.exportSecret());
    const watched: X25519Key = {
      publicKey: key.publicKey,
      exportSecret: () => hand("exported scalar", key.exportSecret()),
      agree: (peer) => hand("agreed secret", key.agree(peer)),
      wipe: () => key.wipe(),
    };
    x25519Keys.push(watched);
    return watched;
  }

  function watchEd25519(key: Ed25519Key): Ed25519Key {
    secrets.push(key.exportSeed());
    return key;
  }

  return {
    secrets,
    handedOut,
    x25519Keys,
    provider: {
      ...provider,
      random: {
        kind: "secure",
        bytes(length) {
          const bytes = provider.random.bytes(length);
          // Shorter draws are identifiers: a task's is public.
          return length < 32 ? bytes : hand("random draw", bytes);
        },
      },
      hkdf: (inputKey, salt, info, length) => hand("derived key", provider.hkdf(inputKey, salt, info, length)),
      generateX25519: () => watchX25519(provider.generateX25519()),
      importX25519: (secret) => watchX25519(provider.importX25519(secret)),
      generateEd25519: () => watchEd25519(provider.generateEd25519()),
      importEd25519: (seed) => watchEd25519(provider.importEd25519(seed)),
      seal(key, nonce, plaintext, associatedData) {
        secrets.push(key.slice(), plaintext.slice());
        return provider.seal(key, nonce, plaintext, associatedData);
      },
      open(key, nonce, box, associatedData) {
        const opened = provider.open(key, nonce, box, associatedData);
        if (opened === undefined) return undefined;
        // The receiver keeps the shares as slices of what it opened.
        const slice = (from?: number, to?: number) =>
          hand("kept share", Uint8Array.prototype.slice.call(opened, from, to));
        return hand("opened shares", Object.defineProperty(opened, "slice", { value: slice }));
      },
      keystream(key, blockOffset) {
        secrets.push(key.slice());
        return provider.keystream(key, blockOffset);
      },
    },
  };
}

/** Eight bytes of a secret are enough to call it leaked: by chance they occur once in 2^64 places. */
const BLOCK = 8;

/**
 * Finds pieces of secrets in text or bytes, as they are, in hex, in base64 or base64url at any alignment, and as lists of
 * numbers, also as JSON has a typed array.
 */
export function leakFinder(secrets: readonly Uint8Array[]): (found: string | Uint8Array) => string[] {
  const raw = new Set<string>();
  const hex = new Set<string>();
  const base64 = new Set<string>();
  const numbers = new Set<string>();
  for (const secret of secrets) {
    for (let at = 0; at + BLOCK <= secret.length; at += BLOCK) {
      const block = Buffer.from(secret.subarray(at, at + BLOCK));
      if (block.every((byte) => byte === 0)) continue;
      raw.add(block.toString("latin1"));
      hex.add(block.toString("hex"));
      numbers.add(block.join());
      // Only the digits that depend on the block alone.
      for (const [before, digits] of [0, 2, 3].entries()) {
        base64.add(
          Buffer.concat([Buffer.alloc(before), block])
            .toString("base64")
            .slice(digits, digits + 9),
        );
      }
    }
  }
  return (found) => {
    const text = Buffer.from(found as Uint8Array).toString("latin1");
    return [
      ...windows(text, 8)
        .filter((window) => raw.has(window))
        .map(() => "raw"),
      ...runsOf(text.toLowerCase(), /[0-9a-f]{16,}/g, 16)
        .filter((window) => hex.has(window))
        .map(() => "hex"),
      ...runsOf(text.replaceAll("-", "+").replaceAll("_", "/"), /[A-Za-z0-9+/]{9,}/g, 9)
        .filter((window) => base64.has(window))
        .map(() => "base64"),
      ...numberLists(text)
        .filter((list) => numbers.has(list))
        .map(() => "numbers"),
    ];
  };
}

function windows(text: string, length: number): string[] {
  const all: string[] = [];
  for (let at = 0; at + length <= text.length; at++) all.push(text.slice(at, at + length));
  return all;
}

function runsOf(text: string, pattern: RegExp, length: number): string[] {
  return (text.match(pattern) ?? []).flatMap((run) => windows(run, length));
}

/** Eight numbers in a row; and every second one, for the JSON of a typed array has the indices between them. */
function numberLists(text: string): string[] {
  const tokens = text.match(/\d+/g) ?? [];
  return tokens.flatMap((_, at) => [
    tokens.slice(at, at + BLOCK).join(),
    tokens
      .slice(at, at + 2 * BLOCK)
      .filter((_token, i) => i % 2 === 0)
      .join(),
  ]);
}
