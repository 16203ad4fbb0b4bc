import { sha256 } from "@noble/hashes/sha2.js";
import { naturalLog } from "./elementary-functions.ts";
import { xoshiro128PlusPlus } from "./xoshiro.ts";

/**
 * Randomness for experiments: partitions, batch order, initial weights, drop-outs, rounding in a simulation. Streams are
 * named by (purpose, round, device), so that what one part draws never shifts what another part draws.
 *
 * Not for secrets: the `kind` field makes it a different type from {@link SecureRandom}.
 */
export interface SeededRandom {
  readonly kind: "seeded";
  /** Uniform in 0 … 2^32 − 1. */
  uint32(): number;
  /** As many of them as there are words, the same as by so many calls. */
  fill(words: Uint32Array): void;
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in 0 … bound − 1, without modulo bias; `bound` an integer in 1 … 2^32. */
  below(bound: number): number;
  /** Standard normal. */
  normal(): number;
  /** Shuffles in place (Fisher–Yates) and returns its argument. */
  shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T;
  /** `count` distinct integers of 0 … bound − 1 in random order, in time and memory of `count`, whatever the bound. */
  sample(bound: number, count: number): Int32Array;
}

/**
 * The stream of an experiment named by (seed, purpose, round, device). The name is hashed by SHA-256 into the state of
 * a xoshiro128++ generator, so streams of different names are independent for every statistical purpose, and the same
 * name gives the same values on every platform: nothing here depends on the engine's Math functions.
 *
 * A number and a string of the same digits are different names, and so are an absent round and round 0.
 * @throws {RangeError} for a number in the name that is not a safe integer.
 */
export function seededRandom(
  seed: number | string,
  purpose: string,
  round?: number,
  device?: number | string,
): SeededRandom {
  return fromState(sha256(encodeName([DOMAIN, seed, purpose, round, device])));
}

const DOMAIN = "murmuration/seeded-random/1";
const TWO_POW_26 = 2 ** 26;
const TWO_POW_32 = 2 ** 32;
const TWO_POW_MINUS_53 = 2 ** -53;

/** The state is the digest's first 16 bytes, as four little-endian words. */
function fromState(digest: Uint8Array): SeededRandom {
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  const { next: uint32, fill } = xoshiro128PlusPlus(
    view.getUint32(0, true),
    view.getUint32(4, true),
    view.getUint32(8, true),
    view.getUint32(12, true),
  );

  function uniform(): number {
    const high = uint32() >>> 5;
    const low = uint32() >>> 6;
    return (high * TWO_POW_26 + low) * TWO_POW_MINUS_53;
  }

  function below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_POW_32) {
      throw new RangeError(`bound ${bound} is not an integer in 1 … 2^32`);
    }
    // Only whole multiples of the bound are kept, so every residue is equally likely.
    const limit = TWO_POW_32 - (TWO_POW_32 % bound);
    let value = uint32();
    while (value >= limit) value = uint32();
    return value % bound;
  }

  // The polar method yields two independent normals at a time (Marsaglia and Bray 1964).
  let spare: number | undefined;
  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * naturalLog(square)) / square);
      spare = y * factor;
      return x * factor;
    }
  }

  function shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T {
    const list: { [index: number]: unknown } = items;
    for (let last = items.length - 1; last > 0; last--) {
      const other = below(last + 1);
      const held = list[last];
      list[last] = list[other];
      list[other] = held;
    }
    return items;
  }

  // Fisher–Yates from the front over 0 … bound − 1, of which only the moved places are kept.
  function sample(bound: number, count: number): Int32Array {
    if (!(count <= bound)) throw new RangeError(`${count} distinct numbers of ${bound}`);
    const moved = new Map<number, number>();
    const drawn = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const other = i + below(bound - i);
      drawn[i] = moved.get(other) ?? other;
      moved.set(other, moved.get(i) ?? i);
    }
    return drawn;
  }

  return { kind: "seeded", uint32, fill, uniform, below, normal, shuffle, sample };
}

/**
 * An injective encoding of a name: each part is a tag, then for a number its 8 bytes (big-endian IEEE 754), for a
 * string its UTF-8 length (4 bytes, big-endian) and its bytes, for an absent part nothing.
 */
function encodeName(parts: readonly (number | string | undefined)[]): Uint8Array {
  const chunks = parts.map(encodePart);
  const encoded = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    encoded.set(chunk, offset);
    offset += chunk.length;
  }
  return encoded;
}

function encodePart(part: number | string | undefined): Uint8Array {
  if (part === undefined) return Uint8Array.of(0);
  if (typeof part === "number") {
    if (!Number.isSafeInteger(part)) throw new RangeError(`${part} in a stream's name is not a safe integer`);
    const bytes = new Uint8Array(9);
    bytes[0] = 1;
    // Adding zero turns −0 into 0: they are one number, so they name one stream.
    new DataView(bytes.buffer).setFloat64(1, part + 0);
    return bytes;
  }
  const text = new TextEncoder().encode(part);
  const bytes = new Uint8Array(5 + text.length);
  bytes[0] = 2;
  new DataView(bytes.buffer).setUint32(1, text.length);
  bytes.set(text, 5);
  return bytes;
}
