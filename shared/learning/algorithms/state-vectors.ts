import { parameterBytes, parametersFromBytes } from "../parameters.ts";

/** Vectors of one length, one behind the other: what most algorithms carry beside the parameters. */
export function encodeVectors(...vectors: readonly Float32Array[]): Uint8Array {
  const bytes = new Uint8Array(vectors.reduce((total, { byteLength }) => total + byteLength, 0));
  let at = 0;
  for (const vector of vectors) {
    bytes.set(parameterBytes(vector), at);
    at += vector.byteLength;
  }
  return bytes;
}

/**
 * Inverse of {@link encodeVectors}; the vectors are copies.
 * @throws {RangeError} unless there are so many, of so many values.
 */
export function decodeVectors(bytes: Uint8Array, count: number, length: number): Float32Array[] {
  const each = length * Float32Array.BYTES_PER_ELEMENT;
  if (bytes.length !== count * each) {
    throw new RangeError(
      `a state of ${count} vectors of ${length} values has ${count * each} bytes, not ${bytes.length}`,
    );
  }
  return Array.from({ length: count }, (_, i) => parametersFromBytes(bytes.slice(i * each, (i + 1) * each)));
}
