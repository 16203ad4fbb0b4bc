/**
 * A grey picture, brightness from 0 to 1 row by row, as a PNG (ISO/IEC 15948) in a data URI. What is darker or brighter is
 * black or white, and what is no number black.
 */
export function pngDataUri(pixels: Float32Array, width: number, height: number): string {
  const rows = new Uint8ClampedArray(height * (width + 1));
  for (let y = 0; y < height; y++) {
    // Each row begins with its filter, which is none.
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = Math.round(255 * pixels[y * width + x]);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  const chunks = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", stored(new Uint8Array(rows.buffer))),
    chunk("IEND", new Uint8Array(0)),
  ];
  const binary = chunks.map((bytes) => String.fromCharCode(...bytes)).join("");
  return `data:image/png;base64,${btoa(binary)}`;
}

/** A zlib stream (RFC 1950) of one stored block: a picture this small is not worth compressing. */
function stored(data: Uint8Array): Uint8Array {
  if (data.length > 0xffff) throw new RangeError("a picture of more than 64 KiB");
  const bytes = new Uint8Array(11 + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x78, 0x01, 0x01]);
  view.setUint16(3, data.length, true);
  view.setUint16(5, ~data.length & 0xffff, true);
  bytes.set(data, 7);
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  view.setUint32(7 + data.length, b * 65_536 + a);
  return bytes;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
