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
  let buffer = new Uint8Array(INITIAL_BYTES);
  let view = new DataView(buffer.buffer);
  let length = 0;

  /** Makes room for `bytes` more, and says where they begin. */
  function advance(bytes: number): number {
    const start = length;
    length += bytes;
    if (length > buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * buffer.length));
      grown.set(buffer);
      buffer = grown;
      view = new DataView(grown.buffer);
    }
    return start;
  }

  function requireUnsigned(value: number, bits: 8 | 16 | 32): void {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return;
    throw new RangeError(`${value} is not an unsigned integer of ${bits} bits`);
  }

  const writer: Writer = {
    u8(value) {
      requireUnsigned(value, 8);
      const at = advance(1);
      view.setUint8(at, value);
      return writer;
    },
    u16(value) {
      requireUnsigned(value, 16);
      const at = advance(2);
      view.setUint16(at, value);
      return writer;
    },
    u32(value) {
      requireUnsigned(value, 32);
      const at = advance(4);
      view.setUint32(at, value);
      return writer;
    },
    f64(value) {
      if (!Number.isFinite(value)) throw new RangeError(`${value} has no canonical encoding`);
      const at = advance(8);
      view.setFloat64(at, value + 0);
      return writer;
    },
    boolean: (value) => writer.u8(value ? 1 : 0),
    fixed(bytes, expected) {
      if (bytes.length !== expected) throw new RangeError(`a field of ${expected} bytes was given ${bytes.length}`);
      const at = advance(expected);
      buffer.set(bytes, at);
      return writer;
    },
    bytes: (bytes) => writer.u32(bytes.length).fixed(bytes, bytes.length),
    text: (text) => writer.bytes(TEXT_ENCODER.encode(text)),
    list(items, write) {
      writer.u32(items.length);
      for (const item of items) write(writer, item);
      return writer;
    },
    finish: () => buffer.slice(0, length),
  };
  return writer;
}

/** Room for most hashed and signed messages. */
const INITIAL_BYTES = 256;
const TEXT_ENCODER = new TextEncoder();

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
