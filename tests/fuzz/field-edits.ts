import { concatBytes, fromHex } from "../../shared/crypto/bytes.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { type Span, spansOf } from "./layouts.ts";

/**
 * Changes one field of a body: to a value that a decoder might stumble over, or, for what has a length or a count, to
 * another content with everything around it still in order, or to a length that lies.
 *
 * @returns the changed body, or undefined when the body is not laid out as its type says.
 */
export function editField(random: SeededRandom, type: number, body: Uint8Array): Uint8Array | undefined {
  const spans = spansOf(type, body);
  if (spans.length === 0) return undefined;
  const span = pick(random, spans);
  switch (span.kind) {
    case "u8":
    case "u16":
    case "u32":
      return replace(body, span, pick(random, NUMBERS[span.kind]));
    case "f64":
      return replace(body, span, pick(random, random.below(3) === 0 ? NOT_CANONICAL : DOUBLES));
    case "fixed":
      return replace(body, span, specialBytes(random, span.length));
    case "text":
      return random.below(3) === 0
        ? replace(body, { ...span, length: 4 }, wrongCount(random, span.length - 4))
        : replace(body, span, prefixed(pick(random, TEXTS)));
    case "bytes":
      return random.below(2) === 0
        ? replace(body, { ...span, length: 4 }, wrongCount(random, span.length - 4))
        : replace(body, span, prefixed(otherBytes(random, body.subarray(span.at + 4, span.at + span.length))));
    case "list":
      return random.below(3) === 0
        ? replace(body, { ...span, length: 4 }, wrongCount(random, span.items.length))
        : replace(body, span, list(otherItems(random, itemsOf(body, span))));
    case "repeat":
      return replace(body, span, concatBytes(...otherItems(random, itemsOf(body, span))));
    case "option":
      return replace(body, { ...span, length: 1 }, Uint8Array.of(pick(random, [0, 1, 2, 255])));
    case "choice":
      return replace(body, { ...span, length: 1 }, Uint8Array.of(pick(random, [0, 1, 2, 3, 255])));
    case "rest":
      return replace(body, span, otherBytes(random, body.subarray(span.at, span.at + span.length)));
    case "bitmap":
      return replace(body, span, otherBits(random, body.subarray(span.at, span.at + span.length)));
  }
}

export function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)];
}

export function randomBytes(random: SeededRandom, length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  return new Uint8Array(words.buffer, 0, length);
}

/** Puts other bytes in a field's place, and mends the lengths of the byte strings around it. */
function replace(
  body: Uint8Array,
  { at, length, prefixes }: Pick<Span, "at" | "length" | "prefixes">,
  by: Uint8Array,
): Uint8Array {
  const changed = concatBytes(body.subarray(0, at), by, body.subarray(at + length));
  const view = new DataView(changed.buffer);
  for (const prefix of prefixes) view.setUint32(prefix, view.getUint32(prefix) + by.length - length);
  return changed;
}

function itemsOf(body: Uint8Array, { items }: Span): Uint8Array[] {
  return items.map(({ at, length }) => body.subarray(at, at + length));
}

function list(items: readonly Uint8Array[]): Uint8Array {
  return concatBytes(number(4, items.length), ...items);
}

function prefixed(content: Uint8Array): Uint8Array {
  return concatBytes(number(4, content.length), content);
}

function number(bytes: number, value: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) % 256);
}

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

/** A length or count that is not the one that is there. */
function wrongCount(random: SeededRandom, right: number): Uint8Array {
  const wrong = [0, 1, right - 1, right + 1, 2 * right, 255, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];
  return number(4, Math.max(0, pick(random, wrong)));
}

function otherItems(random: SeededRandom, items: readonly Uint8Array[]): Uint8Array[] {
  const at = random.below(Math.max(1, items.length));
  const other = random.below(Math.max(1, items.length));
  switch (random.below(7)) {
    case 0:
      return [];
    case 1:
      return items.filter((_, i) => i !== at);
    case 2:
      return [...items, ...items.slice(at, at + 1)];
    case 3:
      return items.map((item, i) => (i === at ? items[other] : i === other ? items[at] : item));
    case 4:
      return items.map((item, i) => (i === at ? otherBytes(random, item) : item));
    case 5:
      return [...items].reverse();
    default:
      return Array.from({ length: pick(random, [64, 65, 256, 1000]) }, (_, i) => items[i % items.length] ?? EMPTY);
  }
}

function otherBytes(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const length = Math.max(1, bytes.length);
  switch (random.below(7)) {
    case 0:
      return EMPTY;
    case 1:
      return bytes.subarray(0, random.below(length));
    case 2:
      return concatBytes(bytes, randomBytes(random, 1 + random.below(80)));
    case 3:
      return new Uint8Array(bytes.length).fill(pick(random, [0, 0xff, 0x80]));
    case 4:
      return concatBytes(bytes.subarray(length >> 1), bytes.subarray(0, length >> 1));
    default: {
      const changed = bytes.slice();
      for (let times = 1 + random.below(4); times > 0; times--) changed[random.below(length)] ^= 1 << random.below(8);
      return changed;
    }
  }
}

function otherBits(random: SeededRandom, bitmap: Uint8Array): Uint8Array {
  const changed = bitmap.slice();
  if (random.below(4) === 0) return changed.fill(pick(random, [0, 0xff]));
  for (let times = 1 + random.below(3); times > 0; times--) {
    changed[random.below(Math.max(1, changed.length))] ^= 1 << random.below(8);
  }
  return changed;
}

function specialBytes(random: SeededRandom, length: number): Uint8Array {
  if (length === 32 && random.below(3) === 0) return pick(random, CURVE_POINTS).slice();
  switch (random.below(4)) {
    case 0:
      return new Uint8Array(length);
    case 1:
      return new Uint8Array(length).fill(0xff);
    case 2:
      return number(length, pick(random, [1, 2, 2 ** 32, 2 ** 53]));
    default:
      return randomBytes(random, length);
  }
}

const EMPTY = new Uint8Array(0);

const NUMBERS = {
  u8: [0, 1, 2, 7, 8, 16, 31, 32, 33, 64, 127, 128, 254, 255].map((value) => number(1, value)),
  u16: [0, 1, 2, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff].map((value) => number(2, value)),
  u32: [
    ...[0, 1, 2, 3, 4, 8, 13, 16, 255, 256, 65_535, 65_536, 2 ** 18, 2 ** 24, 2 ** 24 + 1, 2 ** 26, 2 ** 28],
    ...[2 ** 28 + 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 4, 2 ** 32 - 1],
  ].map((value) => number(4, value)),
};

const DOUBLES: readonly Uint8Array[] = [
  ...[0, 1, -1, 0.5, 0.05, 0.1, 1 / 3, Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE],
  ...[2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 1e22],
].map(double);

const NOT_CANONICAL: readonly Uint8Array[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].map(double),
  // A NaN with a payload, and one with its sign set.
  ...["7ff0000000000001", "fff8000000000000"].map(fromHex),
];

const TEXTS: readonly Uint8Array[] = [
  ...[
    ...["", "masked", "plaintext", "curious-server", "active-server", "protocol", "complete", "clamp", "error"],
    ...["weight", "examples", "lossSum", "correct", "clipped", "over-selected", "__proto__", "constructor", "softmax"],
    ...["quantise:8:1", "quantise:2:1", "quantise:24:1", "quantise:8:0", "quantise:8:NaN", "quantise:8:1e999"],
    ...["quantise", "quantise:8:-1", "quantise:08:1", "quantise:8:1:1", ":", "weight:examples:50", "weight:examples:0"],
    ...["weight::1", "weight:examples:1e3", "clip:1", "clip:0", "clip:1e-300", "clip:NaN", "clip: 1", "clip"],
    ...["\0", "\ufeff", "a".repeat(70_000)],
  ].map((text) => new TextEncoder().encode(text)),
  // Not UTF-8: a lone continuation, an overlong slash, a surrogate, one beyond U+10FFFF, one that breaks off.
  ...["80", "c0af", "eda080", "f4908080", "61e282", "ff"].map(fromHex),
];

/** X25519: points of low order, and the numbers around p, that must not be keys (RFC 7748 section 6.1). */
const CURVE_POINTS = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0900000000000000000000000000000000000000000000000000000000000080",
].map(fromHex);
