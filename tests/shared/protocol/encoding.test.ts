import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReader, createWriter, EncodingError } from "../../../shared/protocol/encoding.ts";

describe("canonical encoding", () => {
  test("integers are big-endian, byte strings and lists carry their length in front", () => {
    const encoded = createWriter()
      .u8(1)
      .u16(0x0203)
      .u32(0x04050607)
      .boolean(true)
      .fixed(Uint8Array.of(8, 9), 2)
      .bytes(Uint8Array.of(10))
      .text("é")
      .list([11, 12], (writer, item) => writer.u8(item))
      .f64(1)
      .finish();
    expect(Buffer.from(encoded).toString("hex")).toBe(
      "01" + "0203" + "04050607" + "01" + "0809" + "000000010a" + "00000002c3a9" + "000000020b0c" + "3ff0000000000000",
    );
  });

  test("every field reads back as it was written, and no byte is left", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        number,
        fc.uint8Array(),
        fc.string({ unit: "binary" }),
        fc.array(fc.nat(0xffff)),
        (u32, f64, bytes, text, items) => {
          const encoded = createWriter()
            .u32(u32)
            .f64(f64)
            .bytes(bytes)
            .text(text)
            .list(items, (writer, item) => writer.u16(item))
            .finish();
          const reader = createReader(encoded);
          expect(reader.u32()).toBe(u32);
          expect(reader.f64()).toBe(f64 + 0);
          expect(reader.bytes()).toEqual(bytes);
          expect(reader.text()).toBe(text);
          expect(reader.list(items.length, (item) => item.u16())).toEqual(items);
          reader.end();
        },
      ),
    );
  });

  test("a writer refuses what has no encoding", () => {
    const writer = createWriter();
    expect(() => writer.u8(256)).toThrow(RangeError);
    expect(() => writer.u16(-1)).toThrow(RangeError);
    expect(() => writer.u32(0.5)).toThrow(RangeError);
    expect(() => writer.f64(Number.NaN)).toThrow(RangeError);
    expect(() => writer.f64(Number.POSITIVE_INFINITY)).toThrow(RangeError);
    expect(() => writer.fixed(new Uint8Array(3), 4)).toThrow(RangeError);
  });

  test.each([
    ["a second encoding of zero", "8000000000000000", (reader: ReturnType<typeof createReader>) => reader.f64()],
    ["not a number", "7ff8000000000000", (reader: ReturnType<typeof createReader>) => reader.f64()],
    ["a truth value of 2", "02", (reader: ReturnType<typeof createReader>) => reader.boolean()],
    ["text that is not UTF-8", "00000001ff", (reader: ReturnType<typeof createReader>) => reader.text()],
    ["an overlong form of a letter", "00000002c1a1", (reader: ReturnType<typeof createReader>) => reader.text()],
    ["a length beyond the end", "ffffffff", (reader: ReturnType<typeof createReader>) => reader.bytes()],
    [
      "more items than allowed",
      "00000003000000",
      (reader: ReturnType<typeof createReader>) => reader.list(2, (item) => item.u8()),
    ],
    ["half an integer", "0001", (reader: ReturnType<typeof createReader>) => reader.u32()],
    [
      "bytes after the last field",
      "0102",
      (reader: ReturnType<typeof createReader>) => {
        reader.u8();
        reader.end();
      },
    ],
  ])("a reader refuses %s", (_, hex, read) => {
    expect(() => read(createReader(Uint8Array.from(Buffer.from(hex, "hex"))))).toThrow(EncodingError);
  });

  test("what was read does not change when the message's memory is used again", () => {
    const message = createWriter()
      .bytes(Uint8Array.of(1, 2, 3))
      .finish();
    const bytes = createReader(message).bytes();
    message.fill(0);
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
  });
});
