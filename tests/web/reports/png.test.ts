import { crc32, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pngDataUri } from "../../../web/reports/png.ts";

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: readonly number[];
}

/** As the standard says, and no more than such pictures need: 8 bits of grey, no filter, no interlacing. */
function decode(uri: string): Picture {
  expect(uri).toMatch(/^data:image\/png;base64,[A-Za-z0-9+/]+=*$/);
  const bytes = Buffer.from(uri.slice(uri.indexOf(",") + 1), "base64");
  expect(bytes.subarray(0, 8)).toEqual(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
    chunks.set(type, bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  expect([...chunks.keys()]).toEqual(["IHDR", "IDAT", "IEND"]);
  const header = chunks.get("IHDR")!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  expect([...header.subarray(8)]).toEqual([8, 0, 0, 0, 0]);
  // Inflating checks Adler's sum as well.
  const rows = inflateSync(chunks.get("IDAT")!);
  expect(rows).toHaveLength(height * (width + 1));
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    expect(rows[y * (width + 1)]).toBe(0);
    pixels.push(...rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)));
  }
  return { width, height, pixels };
}

describe("a picture as a PNG", () => {
  it("decodes to its pixels", () => {
    const shades = Array.from({ length: 6 }, (_, i) => i / 5);
    expect(decode(pngDataUri(Float32Array.from(shades), 3, 2))).toEqual({
      width: 3,
      height: 2,
      pixels: [0, 51, 102, 153, 204, 255],
    });
  });

  it("decodes to its pixels at the size of a digit, and at the largest that there may be", () => {
    for (const [width, height] of [
      [28, 28],
      [254, 257],
    ]) {
      const values = Float32Array.from({ length: width * height }, (_, i) => ((i * 37) % 256) / 255);
      const { pixels } = decode(pngDataUri(values, width, height));
      expect(pixels).toEqual(Array.from(values, (value) => Math.round(255 * value)));
    }
    expect(() => pngDataUri(new Float32Array(256 * 256), 256, 256)).toThrow(RangeError);
  });

  it("of what was recovered badly shows black and white where values are out of range, and not their remainders", () => {
    const { pixels } = decode(pngDataUri(Float32Array.of(-0.2, 1.2, Number.NaN, Number.POSITIVE_INFINITY), 4, 1));
    expect(pixels).toEqual([0, 255, 0, 255]);
  });
});
