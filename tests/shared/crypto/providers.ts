import { readFileSync } from "node:fs";
import { fromHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider as nodeProvider } from "../../../shared/crypto/node-provider.ts";
import { cryptoProvider as portableProvider } from "../../../shared/crypto/portable-provider.ts";

export { nodeProvider, portableProvider };

/** For `describe.each`: everything that is claimed of a provider is claimed of both. */
export const providers = [nodeProvider, portableProvider];

/** Published vectors, `tests/vectors/crypto/NAME.json`. */
export function publishedVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../vectors/crypto/${name}.json`, import.meta.url), "utf8")) as T;
}

/** The published lists of encodings that no honest party sends. */
export function smallOrderPoints(): { x25519: Uint8Array[]; canonical: Uint8Array[]; nonCanonical: Uint8Array[] } {
  const lists = publishedVectors<{ x25519: string[]; ed25519: { canonical: string[]; nonCanonical: string[] } }>(
    "small-order-points",
  );
  return {
    x25519: lists.x25519.map(fromHex),
    canonical: lists.ed25519.canonical.map(fromHex),
    nonCanonical: lists.ed25519.nonCanonical.map(fromHex),
  };
}
