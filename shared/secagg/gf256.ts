/**
 * The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x + 1 (0x11b, FIPS 197 section 4). Addition is exclusive or.
 *
 * Two forms of multiplication: by tables, whose time depends on both factors, for public values and for what the
 * coordinator is about to learn anyway; and {@link multiplyWords}, whose time depends on the public factor only.
 */

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = value;
  EXP[power + 255] = value;
  LOG[value] = power;
  // 3 generates the field's multiplicative group.
  value ^= (value << 1) ^ (value & 0x80 ? 0x11b : 0);
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a] + LOG[b]];
}

/** @throws {RangeError} for b = 0. */
export function divide(a: number, b: number): number {
  if (b === 0) throw new RangeError("zero has no inverse in GF(2^8)");
  return a === 0 ? 0 : EXP[LOG[a] + 255 - LOG[b]];
}

/** Adds factor · source to target, four bytes to a word. The time depends on `factor` and the length only. */
export function addMultiple(target: Uint32Array, source: Uint32Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] ^= multiplyWord(source[i], factor);
}

/** target ← target · factor + addend, a step of Horner's rule. The time depends on `factor` and the length only. */
export function multiplyThenAdd(target: Uint32Array, factor: number, addend: Uint32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = multiplyWord(target[i], factor) ^ addend[i];
}

/** Four products at once: shift and add, doubling each byte of the word without carries between them. */
function multiplyWord(word: number, factor: number): number {
  let product = 0;
  for (let power = word, rest = factor; rest !== 0; rest >>>= 1) {
    if ((rest & 1) !== 0) product ^= power;
    power = ((power & 0x7f7f7f7f) << 1) ^ (((power >>> 7) & 0x01010101) * 0x1b);
  }
  return product;
}
