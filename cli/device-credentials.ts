import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fromHex } from "../shared/crypto/bytes.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { type Certificate, certificateFromHex } from "../shared/secagg/certificates.ts";

const KEY = /^[0-9a-f]{64}$/i;

/**
 * An enrolment authority's public key, 32 bytes: 64 hexadecimal digits, or a file that holds them (`authority.pub`).
 * @throws {MurmurError} usage
 */
export function readAuthorityKey(text: string, cwd: string): Uint8Array {
  if (KEY.test(text)) return fromHex(text);
  const held = readText(text, cwd, "--authority", "Give the key's 64 hexadecimal digits, or the file authority.pub.");
  if (KEY.test(held.trim())) return fromHex(held.trim());
  throw new MurmurError("usage", `${text} does not hold a public key of 64 hexadecimal digits.`, {
    hint: "Give the file authority.pub, not the authority's private key.",
  });
}

/**
 * Certificates by public key in hexadecimal, from the JSON lines that `murmur authority certify` prints.
 * @throws {MurmurError} usage
 */
export function readCertificates(file: string, cwd: string): ReadonlyMap<string, Certificate> {
  const certificates = new Map<string, Certificate>();
  const text = readText(file, cwd, "--certificates", "Give what `murmur authority certify` printed.");
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    try {
      const { publicKey, certificate } = JSON.parse(line) as Record<string, unknown>;
      if (typeof publicKey !== "string" || !KEY.test(publicKey)) throw new RangeError("no key");
      certificates.set(publicKey.toLowerCase(), certificateFromHex(String(certificate)));
    } catch (cause) {
      throw new MurmurError("usage", `Line ${index + 1} of ${file} is not a device's certificate.`, {
        hint: "Give what `murmur authority certify` printed.",
        cause,
      });
    }
  });
  return certificates;
}

function readText(file: string, cwd: string, flag: string, hint: string): string {
  try {
    return readFileSync(resolve(cwd, file), "utf8");
  } catch (cause) {
    throw new MurmurError("usage", `${flag} names a file that cannot be read: ${file}.`, { hint, cause });
  }
}
