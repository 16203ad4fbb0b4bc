import { EncodingError } from "../../protocol/encoding.ts";

/**
 * A set of roster indices as ⌈n/8⌉ bytes: index i is bit (i mod 8), counted from the lowest, of byte ⌊i/8⌋. Bits beyond
 * n are zero.
 */
export function encodeBitmap(indices: Iterable<number>, size: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(size / 8));
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= size) throw new RangeError(`no index ${index} in ${size}`);
    bitmap[index >> 3] |= 1 << (index & 7);
  }
  return bitmap;
}

/**
 * The set, ascending.
 * @throws {EncodingError} on another length, or a bit beyond the roster.
 */
export function decodeBitmap(bitmap: Uint8Array, size: number): ReadonlySet<number> {
  if (bitmap.length !== Math.ceil(size / 8)) {
    throw new EncodingError(`a bitmap over ${size} devices has ${Math.ceil(size / 8)} bytes, not ${bitmap.length}`);
  }
  const indices = new Set<number>();
  for (let index = 0; index < bitmap.length * 8; index++) {
    if ((bitmap[index >> 3] & (1 << (index & 7))) === 0) continue;
    if (index >= size) throw new EncodingError(`a bitmap names device ${index} of ${size}`);
    indices.add(index);
  }
  return indices;
}
