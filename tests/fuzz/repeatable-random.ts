import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { nameDigest } from "../adversary/fixture.ts";

/** A provider all of whose randomness is one key stream, of a name: the same device again, byte for byte. */
export function repeatableRandom(provider: CryptoProvider, name: string): CryptoProvider {
  const stream = provider.keystream(nameDigest(provider, name));
  const bytes = (length: number): Uint8Array => stream.next(length).slice();
  return {
    ...provider,
    random: { kind: "secure", bytes },
    generateX25519: () => provider.importX25519(bytes(32)),
  };
}
