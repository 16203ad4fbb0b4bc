import { describe, expect, it } from "vitest";
import { cryptoProvider } from "#crypto-provider";
import type { CryptoProvider } from "../../../shared/crypto/provider.ts";
import { addMask, pairMaskSign } from "../../../shared/secagg/masks.ts";
import { createRingAccumulator } from "../../../shared/secagg/ring-accumulator.ts";
import { linearComplexity } from "./linear-complexity.ts";

/** A key that a test can name. Fixed, so that the statistical tests below always see the same streams. */
function key(label: string): Uint8Array {
  return cryptoProvider.sha256(new TextEncoder().encode(`mask test/${label}`));
}

/** The sum of the masks of these keys, as signed lanes of the ring. */
function mask(dimension: number, bits: number, ...keys: readonly Uint8Array[]): Int32Array {
  const accumulator = createRingAccumulator(dimension, bits);
  for (const each of keys) addMask(accumulator, cryptoProvider, each, 1);
  const sum = accumulator.toSignedSum();
  accumulator.dispose();
  return sum;
}

describe("a mask", () => {
  // AES-256 of the zero block under the zero key: DC95C078 A2408989 AD48A214 92842087 (NIST AESAVS, appendix).
  it("is AES-256-CTR from counter zero, read as little-endian lanes of 32 bits", () => {
    const lanes = [0x78c095dc, 0x898940a2, 0x14a248ad, 0x87208492].map((lane) => lane | 0);
    expect(Array.from(mask(4, 32, new Uint8Array(32)))).toEqual(lanes);
  });

  it("has lanes of 16 bits in a ring of at most 16 bits", () => {
    const lanes = [0x95dc, 0x78c0, 0x40a2, 0x8989, 0x48ad, 0x14a2, 0x8492, 0x8720].map((lane) => (lane << 16) >> 16);
    expect(Array.from(mask(8, 16, new Uint8Array(32)))).toEqual(lanes);
  });

  it("is the same every time, and cut to b bits in every width", () => {
    const wide = mask(1001, 32, key("a"));
    for (let bits = 17; bits < 32; bits++) {
      expect(mask(1001, bits, key("a"))).toEqual(wide.map((lane) => (lane << (32 - bits)) >> (32 - bits)));
    }
    const narrow = mask(1001, 16, key("a"));
    for (let bits = 8; bits < 16; bits++) {
      expect(mask(1001, bits, key("a"))).toEqual(narrow.map((lane) => (lane << (32 - bits)) >> (32 - bits)));
    }
  });

  it("can be entered at any block, so that ranges of a vector can be unmasked side by side", () => {
    for (const bits of [16, 23]) {
      const whole = mask(40_000, bits, key("a"));
      const range = createRingAccumulator(20_000, bits);
      addMask(range, cryptoProvider, key("a"), 1, 20_000);
      expect(range.toSignedSum()).toEqual(whole.slice(20_000));
      expect(() => addMask(range, cryptoProvider, key("a"), 1, 2)).toThrow("does not begin a block");
      range.dispose();
    }
  });

  it("needs all 256 bits of its key", () => {
    const accumulator = createRingAccumulator(4, 20);
    for (const length of [0, 16, 31, 33]) {
      expect(() => addMask(accumulator, cryptoProvider, new Uint8Array(length), 1)).toThrow(`not ${length}`);
    }
    accumulator.dispose();
  });

  it("is asked of the provider in chunks, never as a whole", () => {
    let largest = 0;
    const watched: Pick<CryptoProvider, "keystream"> = {
      keystream(seed, offset) {
        const stream = cryptoProvider.keystream(seed, offset);
        return {
          next(length) {
            largest = Math.max(largest, length);
            return stream.next(length);
          },
        };
      },
    };
    const accumulator = createRingAccumulator(200_001, 20);
    addMask(accumulator, watched, key("a"), 1);
    accumulator.dispose();
    expect(largest).toBeLessThanOrEqual(131_072);
  });
});

describe("masks cancel", () => {
  // A chunk is 64 KiB: 16,384 wide lanes, 32,768 narrow ones.
  const dimensions = [1, 3, 8, 9, 1001, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 65_537];

  it.each([8, 11, 16, 17, 20, 23, 32])("when one is added and the same subtracted, %i bits", (bits) => {
    for (const dimension of dimensions) {
      const accumulator = createRingAccumulator(dimension, bits);
      addMask(accumulator, cryptoProvider, key("a"), 1);
      addMask(accumulator, cryptoProvider, key("b"), -1);
      expect(accumulator.toSignedSum().some((value) => value !== 0)).toBe(true);
      addMask(accumulator, cryptoProvider, key("b"), 1);
      addMask(accumulator, cryptoProvider, key("a"), -1);
      expect(accumulator.toSignedSum().every((value) => value === 0)).toBe(true);
      accumulator.dispose();
    }
  });

  it.each([9, 16, 17, 21, 32])(
    "between every pair of a cohort, so that the sum of uploads is the plain sum, %i bits",
    (bits) => {
      const cohort = [0, 1, 2, 3, 4];
      const dimension = 1001;
      const input = (u: number) => Int32Array.from({ length: dimension }, (_, i) => ((u * 7 + i * 13) % 21) - 10);
      const pairKey = (u: number, v: number) => key(`pair ${Math.min(u, v)} ${Math.max(u, v)}`);
      const uploads = cohort.map((u) => {
        const own = createRingAccumulator(dimension, bits);
        own.load(input(u));
        addMask(own, cryptoProvider, key(`self ${u}`), 1);
        for (const v of cohort.filter((v) => v !== u)) {
          addMask(own, cryptoProvider, pairKey(u, v), pairMaskSign(u, v));
        }
        const packed = own.pack();
        own.dispose();
        return packed;
      });
      const sum = createRingAccumulator(dimension, bits);
      for (const upload of uploads) sum.addPacked(upload);
      for (const u of cohort) addMask(sum, cryptoProvider, key(`self ${u}`), -1);
      const plain = Int32Array.from({ length: dimension }, (_, i) =>
        cohort.reduce((total, u) => total + input(u)[i], 0),
      );
      expect(sum.toSignedSum()).toEqual(plain);
      sum.dispose();
    },
  );

  it("by opposite signs in a pair, and no device masks against itself", () => {
    expect(pairMaskSign(5, 3)).toBe(1);
    expect(pairMaskSign(3, 5)).toBe(-1);
    expect(() => pairMaskSign(4, 4)).toThrow(RangeError);
  });
});

describe("to who sees a masked upload", () => {
  // Fixed keys: these thresholds are about five standard deviations, passed once and for all.
  it.each([8, 12, 16, 20, 32])(
    "it is uniform whatever the update: zero and the largest value alike, %i bits",
    (bits) => {
      const dimension = 262_144;
      const bins = 256;
      for (const value of [0, 2 ** (bits - 1) - 1]) {
        const accumulator = createRingAccumulator(dimension, bits);
        accumulator.load(new Int32Array(dimension).fill(value));
        addMask(accumulator, cryptoProvider, key(`uniform ${bits}`), 1);
        const masked = accumulator.toSignedSum();
        accumulator.dispose();
        for (const shift of new Set([0, bits - 8])) {
          const counts = new Float64Array(bins);
          for (const lane of masked) counts[(lane >> shift) & 0xff]++;
          const expected = dimension / bins;
          const chiSquared = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
          // 255 degrees of freedom: mean 255, standard deviation 22.6.
          expect(chiSquared).toBeGreaterThan(255 - 5 * 22.6);
          expect(chiSquared).toBeLessThan(255 + 5 * 22.6);
          // The two ends of the ring are as likely as anything else: a modulo bias would show there.
          for (const end of [0, bins - 1])
            expect(Math.abs(counts[end] - expected)).toBeLessThan(5 * Math.sqrt(expected));
        }
      }
    },
  );

  it.each([16, 20])("bit 0 of a sum of masks is no linear recurrence, %i bits", (bits) => {
    const length = 3000;
    const sum = mask(length, bits, key("a"), key("b"), key("c"));
    const complexity = linearComplexity(Uint8Array.from(sum, (lane) => lane & 1));
    // Mean n/2, standard deviation about 1 (Rueppel 1986).
    expect(Math.abs(complexity - length / 2)).toBeLessThan(12);
  });

  it("which the same test does find in a sum of xorshift streams", () => {
    const length = 3000;
    const states = [1, 2, 3];
    const bits = Uint8Array.from({ length }, () => {
      let sum = 0;
      states.forEach((state, i) => {
        let x = state;
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        states[i] = x;
        sum += x >>> 0;
      });
      return sum & 1;
    });
    expect(linearComplexity(bits)).toBeLessThanOrEqual(32);
  });

  it("masks of keys that differ in one bit have nothing in common", () => {
    const reference = mask(4096, 32, key("one bit"));
    for (let bit = 0; bit < 256; bit += 17) {
      const flipped = key("one bit").slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      const other = mask(4096, 32, flipped);
      let different = 0;
      for (let i = 0; i < 4096; i++) different += popCount(reference[i] ^ other[i]);
      // 131,072 bits, half of them different, standard deviation 181.
      expect(Math.abs(different - 65_536)).toBeLessThan(5 * 181);
    }
  });

  it("a mask never repeats itself, at a chunk boundary or anywhere", () => {
    const lanes = mask(100_000, 32, key("repeat"));
    const pairs = new Set<bigint>();
    for (let i = 0; i + 1 < lanes.length; i += 2) {
      pairs.add((BigInt(lanes[i]) << 32n) ^ BigInt.asUintN(32, BigInt(lanes[i + 1])));
    }
    expect(pairs.size).toBe(50_000);
  });
});

function popCount(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest >>>= 1) count += rest & 1;
  return count;
}
