import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider, Ed25519Key } from "../../shared/crypto/provider.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";

/** The enrolment authority's Ed25519 seed, hexadecimal, readable by its owner only. */
export const AUTHORITY_KEY_FILE = "authority.key";
/** Its public key, hexadecimal: what devices pin. */
export const AUTHORITY_PUBLIC_FILE = "authority.pub";

type Provider = Pick<CryptoProvider, "generateEd25519" | "importEd25519">;

/**
 * Makes an authority's key pair in `folder`.
 * @throws {MurmurError} file-exists when the folder holds one: a new key would orphan every certificate of the old.
 */
export function createAuthority(folder: string, provider: Provider): Ed25519Key {
  const keyFile = join(folder, AUTHORITY_KEY_FILE);
  if (existsSync(keyFile) || existsSync(join(folder, AUTHORITY_PUBLIC_FILE))) {
    throw new MurmurError("file-exists", `${folder} already holds an authority.`, {
      hint: "Choose another folder. Overwriting it would make every certificate it issued worthless.",
    });
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = provider.generateEd25519();
  // "wx" fails on a file that appeared meanwhile.
  writeFileSync(keyFile, `${toHex(key.exportSeed())}\n`, { mode: 0o600, flag: "wx" });
  chmodSync(keyFile, 0o600);
  writeFileSync(join(folder, AUTHORITY_PUBLIC_FILE), `${toHex(key.publicKey)}\n`, { flag: "wx" });
  return key;
}

/** Whether the authority's private key is in the folder, or beside the file. */
export function holdsPrivateKey(place: string): boolean {
  return existsSync(join(publicKeyFile(place), "..", AUTHORITY_KEY_FILE));
}

/**
 * The authority's public key, 32 bytes, from its folder or from the file that holds it.
 * @throws {MurmurError} authority-missing
 */
export function loadAuthorityKey(place: string): Uint8Array {
  const file = publicKeyFile(place);
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new MurmurError("authority-missing", `${file} cannot be read.`, { cause });
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new MurmurError("authority-missing", `${file} does not hold a public key of 64 hexadecimal digits.`);
  }
  return fromHex(text);
}

function publicKeyFile(place: string): string {
  return statSync(place, { throwIfNoEntry: false })?.isFile() === true ? place : join(place, AUTHORITY_PUBLIC_FILE);
}

/** @throws {MurmurError} authority-missing when the folder holds none, or what it holds is not a key. */
export function loadAuthority(folder: string, provider: Provider): Ed25519Key {
  const keyFile = join(folder, AUTHORITY_KEY_FILE);
  let text: string;
  try {
    text = readFileSync(keyFile, "utf8").trim();
  } catch (cause) {
    throw new MurmurError("authority-missing", `${keyFile} cannot be read.`, { cause });
  }
  // What does not fit is a secret all the same: say where it is, not what.
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new MurmurError("authority-missing", `${keyFile} does not hold a key of 64 hexadecimal digits.`);
  }
  return provider.importEd25519(fromHex(text));
}
