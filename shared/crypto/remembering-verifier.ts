import { toHex } from "./bytes.ts";
import type { CryptoProvider } from "./provider.ts";

/**
 * A provider that computes each signature check once. Devices of one process check the same rosters and the same
 * confirmations; what one of them found, the others may take over, for they all trust this process's arithmetic.
 *
 * A check is known by the SHA-256 of key, message and signature, each behind its length; the oldest of more than
 * `capacity` is forgotten. Nothing in it is secret.
 */
export function rememberVerifications(provider: CryptoProvider, capacity: number): CryptoProvider {
  const known = new Map<string, boolean>();
  return {
    ...provider,
    verifyEd25519(publicKey, message, signature) {
      const lengths = new Uint32Array([publicKey.length, message.length, signature.length]);
      const name = toHex(provider.sha256(new Uint8Array(lengths.buffer), publicKey, message, signature));
      const remembered = known.get(name);
      if (remembered !== undefined) return remembered;
      const verified = provider.verifyEd25519(publicKey, message, signature);
      const [oldest] = known.keys();
      if (oldest !== undefined && known.size >= capacity) known.delete(oldest);
      known.set(name, verified);
      return verified;
    },
  };
}
