import type { CryptoProvider } from "../../shared/crypto/provider.ts";

/** A provider, and everything that was drawn from its randomness, in order. */
export interface RecordedRandomness {
  readonly provider: CryptoProvider;
  readonly draws: readonly Uint8Array[];
}

/** Lets a device draw as it would, and keeps what it drew: for a benchmark only, whose sessions protect nobody. */
export function recordRandomness(provider: CryptoProvider): RecordedRandomness {
  const draws: Uint8Array[] = [];
  const recorded = withRandomness(provider, (length) => {
    const bytes = provider.random.bytes(length);
    draws.push(bytes.slice());
    return bytes;
  });
  return { provider: recorded, draws };
}

/**
 * Gives the same bytes again, so that the device takes the same part in the same session. Fresh ones are drawn all the
 * same: their cost belongs to what is measured.
 */
export function replayRandomness(provider: CryptoProvider, draws: readonly Uint8Array[]): CryptoProvider {
  let next = 0;
  return withRandomness(provider, (length) => {
    const bytes = provider.random.bytes(length);
    const recorded = draws[next++];
    if (recorded?.length !== length) throw new Error("the device draws other randomness than it did when recorded");
    bytes.set(recorded);
    return bytes;
  });
}

function withRandomness(provider: CryptoProvider, bytes: (length: number) => Uint8Array): CryptoProvider {
  return {
    ...provider,
    random: { kind: "secure", bytes },
    generateX25519: () => provider.importX25519(bytes(32)),
  };
}
