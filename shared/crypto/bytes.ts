/**
 * Byte strings: comparing, ordering, joining, hexadecimal. Plain Uint8Array, no platform buffers.
 */

/**
 * True when both strings are the same. The time depends on the lengths only, never on the content, so it may compare
 * secrets; the lengths are taken to be public.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** Lexicographic order of unsigned bytes, a prefix first: negative, zero or positive, as `sort` wants it. Not for secrets. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** A new array that holds the parts one after the other. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

const HEX_DIGITS = "0123456789abcdef";

/** Lower-case hexadecimal, two digits a byte. For public values: the table look-ups depend on the content. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX_DIGITS[byte >> 4] + HEX_DIGITS[byte & 15];
  return hex;
}

/**
 * The bytes of a hexadecimal string of either case, without prefix or separators.
 * @throws {RangeError} on an odd length or any other character. The message does not repeat the input.
 */
export function fromHex(hex: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new RangeError("not a hexadecimal string of whole bytes");
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
