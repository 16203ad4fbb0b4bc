import { describe, expect, it } from "vitest";
import { threefry2x32 } from "../../../shared/random/threefry.ts";

describe("threefry2x32", () => {
  // Random123, tests/kat_vectors: threefry2x32 13.
  it.each([
    [0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x9d1c5ec6, 0x8bd50731],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xfd36d048, 0x2d17272c],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xba3e4725, 0xf27d669e],
  ])("gives its authors' known answers (counter %i %i)", (counter0, counter1, key0, key1, word0, word1) => {
    const out = new Uint32Array(2);
    threefry2x32(Uint32Array.of(key0, key1), counter0, counter1, out);
    expect([...out]).toEqual([word0, word1]);
  });
});
