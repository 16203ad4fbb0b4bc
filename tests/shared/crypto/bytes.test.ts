import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBytes, concatBytes, equalBytes, fromHex, toHex } from "../../../shared/crypto/bytes.ts";

describe("byte strings", () => {
  it("are equal exactly when every byte is", () => {
    const bytes = Uint8Array.of(1, 2, 3, 0xff);
    expect(equalBytes(bytes, Uint8Array.from(bytes))).toBe(true);
    expect(equalBytes(bytes, bytes.subarray(0, 3))).toBe(false);
    expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true);
    for (let bit = 0; bit < 32; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      expect(equalBytes(bytes, changed)).toBe(false);
    }
  });

  it("join into a copy that later changes do not reach", () => {
    const part = Uint8Array.of(1, 2);
    const joined = concatBytes(part, new Uint8Array(0), Uint8Array.of(3));
    part[0] = 9;
    expect([...joined]).toEqual([1, 2, 3]);
    expect(concatBytes()).toHaveLength(0);
  });

  it("survive hexadecimal", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => equalBytes(fromHex(toHex(bytes)), bytes)));
    expect(toHex(Uint8Array.of(0, 0x0f, 0xa0))).toBe("000fa0");
    expect([...fromHex("00fFAa")]).toEqual([0, 0xff, 0xaa]);
  });

  it.each(["0", "0x00", "0g", "00 00", "zz", "+1"])("refuse %j as hexadecimal, without repeating it", (text) => {
    expect(() => fromHex(text)).toThrow("not a hexadecimal string of whole bytes");
  });

  it("sort as their hexadecimal sorts", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 3 }), (a, b) => {
        const [x, y] = [toHex(a), toHex(b)];
        expect(Math.sign(compareBytes(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
      }),
    );
  });
});
