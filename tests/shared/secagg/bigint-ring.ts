/** Z_{2^b} and its wire format in BigInt: slow, obvious, and independent of every lane, chunk and shift. */

/** The unsigned residue of a value. */
export function residue(value: bigint | number, bits: number): bigint {
  return BigInt.asUintN(bits, BigInt(value));
}

/** All coordinates as one number, the first in the lowest bits, written as little-endian bytes. */
export function packReference(values: readonly (bigint | number)[], bits: number): Uint8Array {
  let whole = 0n;
  values.forEach((value, i) => {
    whole |= residue(value, bits) << BigInt(i * bits);
  });
  return Uint8Array.from({ length: Math.ceil((values.length * bits) / 8) }, (_, i) =>
    Number((whole >> BigInt(8 * i)) & 0xffn),
  );
}

/** Two's complement of b bits. */
export function signedReference(value: bigint, bits: number): number {
  return Number(BigInt.asIntN(bits, value));
}
