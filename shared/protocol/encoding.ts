import { concatBytes } from "../crypto/bytes.ts";

/**
 * The one canonical encoding of everything that is hashed, signed or sent: big-endian integers of fixed width, IEEE 754
 * doubles, and byte strings and lists behind a four-byte length. A sequence of fields has exactly one encoding, and an
 * encoding exactly one reading.
 */
export interface Writer {
  u8(value: number): Writer;
  u16(value: number): Writer;
  u32(value: number): Writer;
  /** Finite doubles only; −0 is written as 0. */
  f64(value: number): Writer;
  boolean(value: boolean): Writer;
  /** Bytes of a length that both sides know. */
  fixed(bytes: Uint8Array, length: number): Writer;
  /** Length, then bytes. */
  bytes(bytes: Uint8Array): Writer;
  /** Length, then UTF-8. */
  text(text: string): Writer;
  /** Count, then items. */
  list<Item>(items: readonly Item[], write: (writer: Writer, item: Item) => void): Writer;
  finish(): Uint8Array;
}

export function createWriter(): Writer {
  const parts: Uint8Array[] = [];

  function integer(value: number, bytes: 1 | 2 | 4): Writer {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes)) {
      throw new RangeError(`${value} is not an unsigned integer of ${8 * bytes} bits`);
    }
    const part = new Uint8Array(bytes);
    for (let i = bytes - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) part[i] = rest % 256;
    parts.push(part);
    return writer;
  }

  const writer: Writer = {
    u8: (value) => integer(value, 1),
    u16: (value) => integer(value, 2),
    u32: (value) => integer(value, 4),
    f64(value) {
      if (!Number.isFinite(value)) throw new RangeError(`${value} has no canonical encoding`);
      const part = new Uint8Array(8);
      new DataView(part.buffer).setFloat64(0, value + 0);
      parts.push(part);
      return writer;
    },
    boolean: (value) => integer(value ? 1 : 0, 1),
    fixed(bytes, length) {
      if (bytes.length !== length) throw new RangeError(`a field of ${length} bytes was given ${bytes.length}`);
      parts.push(bytes.slice());
      return writer;
    },
    bytes(bytes) {
      integer(bytes.length, 4);
      parts.push(bytes.slice());
      return writer;
    },
    text: (text) => writer.bytes(new TextEncoder().encode(text)),
    list(items, write) {
      integer(items.length, 4);
      for (const item of items) write(writer, item);
      return writer;
    },
    finish: () => concatBytes(...parts),
  };
  return writer;
}

/** Reads what a {@link Writer} wrote, and refuses everything else. Byte strings are copies. */
export interface Reader {
  u8(): number;
  u16(): number;
  u32(): number;
  f64(): number;
  boolean(): boolean;
  fixed(length: number): Uint8Array;
  bytes(): Uint8Array;
  text(): string;
  /** At most `most` items. */
  list<Item>(most: number, read: (reader: Reader) => Item): Item[];
  /** @throws {EncodingError} when bytes are left. */
  end(): void;
}

/** Bytes that are not an encoding of what was expected. Says where and why, never what the bytes are. */
export class EncodingError extends Error {
  override readonly name: string = "EncodingError";
}

export function createReader(input: Uint8Array): Reader {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let at = 0;

  function advance(length: number): number {
    if (length > input.length - at) {
      throw new EncodingError(`${length} bytes are expected at ${at}, and ${input.length - at} are left`);
    }
    const start = at;
    at += length;
    return start;
  }

  const reader: Reader = {
    u8: () => view.getUint8(advance(1)),
    u16: () => view.getUint16(advance(2)),
    u32: () => view.getUint32(advance(4)),
    f64() {
      const value = view.getFloat64(advance(8));
      if (!Number.isFinite(value) || Object.is(value, -0)) throw new EncodingError("a number is not canonical");
      return value;
    },
    boolean() {
      const value = reader.u8();
      if (value > 1) throw new EncodingError(`a truth value is 0 or 1, not ${value}`);
      return value === 1;
    },
    fixed(length) {
      const start = advance(length);
      return input.slice(start, start + length);
    },
    bytes: () => reader.fixed(reader.u32()),
    text() {
      const bytes = reader.bytes();
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        throw new EncodingError("a text is not UTF-8");
      }
    },
    list(most, read) {
      const count = reader.u32();
      if (count > most) throw new EncodingError(`a list has ${count} items, and ${most} are the most`);
      return Array.from({ length: count }, () => read(reader));
    },
    end() {
      if (at !== input.length) throw new EncodingError(`${input.length - at} bytes follow the last field`);
    },
  };
  return reader;
}
