import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import { holdsPrivateKey, loadAuthority, loadAuthorityKey } from "./authority-folder.ts";
import type { RunConfig } from "./config.ts";
import type { InProcessOptions } from "./in-process-federation.ts";

/** Simulated devices live for the run, so their certificates need only outlast it. */
const CERTIFICATE_SECONDS = 365 * 86_400;

/**
 * At `active-server`, the authority that the simulated devices pin and are certified by; nothing at the other level.
 * One process then plays the authority too: the run shows the level's checks at work, as its record says.
 *
 * @throws {MurmurError} `authority-missing`
 */
export function authorityOf(
  config: RunConfig,
  provider: CryptoProvider,
  now: number,
): Pick<InProcessOptions, "authority"> {
  const { mode, level, authority: folder } = config.secagg;
  if (mode !== "masked" || level !== "active-server") return {};
  if (folder === undefined) throw new MurmurError("authority-missing", "secagg.authority names no folder.");
  const key = loadAuthority(folder, provider);
  const expiry = Math.floor(now / 1000) + CERTIFICATE_SECONDS;
  const certify = (devicePublicKey: Uint8Array) => issueCertificate(key, config.population, devicePublicKey, expiry);
  return { authority: { publicKey: key.publicKey, certify } };
}

/**
 * At `active-server`, the public key of the authority that devices are certified by: all of it that a coordinator needs.
 * The private key has no place beside it.
 *
 * @throws {MurmurError} `authority-missing`
 */
export function pinnedAuthority(config: RunConfig, warn: (text: string) => void): Uint8Array | undefined {
  const { mode, level, authority } = config.secagg;
  if (mode !== "masked" || level !== "active-server") return undefined;
  if (authority === undefined) throw new MurmurError("authority-missing", "secagg.authority names no folder.");
  if (holdsPrivateKey(authority)) {
    warn(
      `${authority} holds the authority's private key: whoever has this machine can invent devices, and the level ` +
        "active-server claims nothing. Keep only authority.pub beside the coordinator.",
    );
  }
  return loadAuthorityKey(authority);
}
