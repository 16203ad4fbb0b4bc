import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cryptoProvider } from "#crypto-provider";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import {
  createQuantiser,
  dequantise,
  NonFiniteUpdateError,
  quantise,
  type RoundingBits,
  secureRounding,
  seededRounding,
} from "../../../shared/secagg/quantise.ts";

const always = (word: number): RoundingBits => ({ fill: (words) => words.fill(word) });
const roundDown = always(0);
const roundUp = always(0xffff_ffff);

/** Weyl sequence through a multiplier: enough of a SeededRandom for its `uint32`. */
function counterRandom(seed: number): SeededRandom {
  let state = seed;
  const uint32 = () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const fill = (words: Uint32Array) => words.set(Array.from(words, uint32));
  return { kind: "seeded", uint32, fill } as unknown as SeededRandom;
}

describe("the quantiser", () => {
  it.each([
    [2, 1],
    [8, 127],
    [16, 32_767],
    [24, 8_388_607],
  ])("of %i bits has %i levels on either side", (bits, levels) => {
    expect(createQuantiser({ bits, clip: 0.5 })).toEqual({ clip: 0.5, levels, scale: levels * 2 });
  });

  it.each([1, 25, 8.5, Number.NaN])("refuses %f bits", (bits) => {
    expect(() => createQuantiser({ bits, clip: 1 })).toThrow(RangeError);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses the clip %f", (clip) => {
    expect(() => createQuantiser({ bits: 16, clip })).toThrow(RangeError);
  });
});

describe("a coordinate", () => {
  it("goes to one of its two neighbouring levels, as the bits say", () => {
    const quantiser = createQuantiser({ bits: 4, clip: 7 });
    const values = Float32Array.of(2.25, -2.25, 0.001, -0.001);
    expect(quantise(values, quantiser, roundDown)).toEqual(Int32Array.of(2, -3, 0, -1));
    expect(quantise(values, quantiser, roundUp)).toEqual(Int32Array.of(3, -2, 1, 0));
  });

  it("that is on a level stays there, whatever the bits say", () => {
    for (const bits of [2, 8, 16, 24]) {
      const { levels } = createQuantiser({ bits, clip: 1 });
      const quantiser = createQuantiser({ bits, clip: levels });
      const values = Float32Array.of(-levels, -1, 0, 1, levels - 1, levels);
      for (const rounding of [roundDown, roundUp]) {
        expect(Array.from(quantise(values, quantiser, rounding), (x) => x + 0)).toEqual(Array.from(values));
      }
    }
  });

  it("never leaves ±L, rounded up at the clip or far beyond it", () => {
    const quantiser = createQuantiser({ bits: 16, clip: 0.3 });
    const beyond = [0.3, 0.300001, 0.2999999, 1, 3.4e38].flatMap((value) => [value, -value]);
    for (const rounding of [roundDown, roundUp]) {
      for (const level of quantise(Float32Array.from(beyond), quantiser, rounding)) {
        expect(Math.abs(level)).toBeLessThanOrEqual(32_767);
        expect(Math.abs(level)).toBeGreaterThanOrEqual(32_766);
      }
    }
  });

  it("moves by less than one level", () => {
    fc.assert(
      fc.property(
        fc.float({ min: -1, max: 1, noNaN: true }),
        fc.integer({ min: 2, max: 24 }),
        fc.nat(0xffff_ffff),
        (value, bits, word) => {
          const quantiser = createQuantiser({ bits, clip: 1 });
          const [level] = quantise(Float32Array.of(value), quantiser, always(word));
          expect(Math.abs(level - value * quantiser.scale)).toBeLessThan(1);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("is right on average", () => {
    const quantiser = createQuantiser({ bits: 8, clip: 1 });
    const draws = 200_000;
    for (const value of [0.1, -0.1, 0.5, 0.003, -0.9999, 0.99999]) {
      const values = new Float32Array(draws).fill(value);
      const scaled = values[0] * quantiser.scale;
      const fraction = scaled - Math.floor(scaled);
      for (const rounding of [seededRounding(counterRandom(7)), secureRounding(cryptoProvider)]) {
        const levels = quantise(values, quantiser, rounding);
        const mean = levels.reduce((total, level) => total + level, 0) / draws;
        // Six standard deviations: the bits of the operating system are new on every run.
        expect(Math.abs(mean - scaled)).toBeLessThan(6 * Math.sqrt((fraction * (1 - fraction)) / draws));
      }
    }
  });

  it("goes up for exactly the share of rounding words that its fraction is", () => {
    const quantiser = createQuantiser({ bits: 2, clip: 1 });
    const fraction = 0.3125;
    const threshold = 2 ** 32 * (1 - fraction);
    expect(quantise(Float32Array.of(fraction), quantiser, always(threshold - 1))[0]).toBe(0);
    expect(quantise(Float32Array.of(fraction), quantiser, always(threshold))[0]).toBe(1);
    // Below the resolution of 2^-32 the share is the nearest there is: one word or none.
    expect(quantise(Float32Array.of(0.75 * 2 ** -32), quantiser, roundUp)[0]).toBe(1);
    expect(quantise(Float32Array.of(0.25 * 2 ** -32), quantiser, roundUp)[0]).toBe(0);
  });
});

describe("rounding bits", () => {
  const half = new Float32Array(50_001).fill(0.5);
  const quantiser = createQuantiser({ bits: 2, clip: 1 });

  it("of an experiment are the same on every run", () => {
    const [a, b] = [1, 1].map((seed) => quantise(half, quantiser, seededRounding(counterRandom(seed))));
    expect(a).toEqual(b);
  });

  it("of the operating system are not", () => {
    const [a, b] = [0, 1].map(() => quantise(half, quantiser, secureRounding(cryptoProvider)));
    expect(a).not.toEqual(b);
  });

  it("are fresh for every coordinate, also beyond the first 64 KiB", () => {
    const levels = quantise(half, quantiser, secureRounding(cryptoProvider));
    const chunks = [0, 16_384, 32_768].map((start) => levels.subarray(start, start + 16_384).join(""));
    expect(new Set(chunks).size).toBe(3);
    expect(levels.subarray(49_152).some((level) => level === 1)).toBe(true);
    expect(levels.subarray(49_152).some((level) => level === 0)).toBe(true);
  });
});

describe("an update that is not finite", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("(%f) is refused by its index", (bad) => {
    for (const index of [0, 16_383, 16_384, 20_000]) {
      const values = new Float32Array(20_001).fill(0.123);
      values[index] = bad;
      const act = () => quantise(values, createQuantiser({ bits: 16, clip: 1 }), roundDown);
      expect(act).toThrow(NonFiniteUpdateError);
      expect(act).toThrow(`Coordinate ${index} of the update is not a finite number.`);
    }
  });
});

describe("the target", () => {
  it("may be longer, for the slots behind the update, which are left alone", () => {
    const target = Int32Array.of(9, 9, 9, 9);
    quantise(Float32Array.of(1, -1), createQuantiser({ bits: 2, clip: 1 }), roundDown, target);
    expect(target).toEqual(Int32Array.of(1, -1, 9, 9));
  });

  it("must not be shorter", () => {
    const quantiser = createQuantiser({ bits: 2, clip: 1 });
    expect(() => quantise(new Float32Array(3), quantiser, roundDown, new Int32Array(2))).toThrow(RangeError);
    expect(() => dequantise(new Int32Array(2), quantiser, new Float32Array(3))).toThrow(RangeError);
  });
});

describe("dequantising", () => {
  it("gives the sum of the updates back, within a level for each device", () => {
    const quantiser = createQuantiser({ bits: 16, clip: 1 });
    fc.assert(
      fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }), (updates) => {
        const rounding = seededRounding(counterRandom(3));
        const sum = Int32Array.of(0);
        for (const update of updates) sum[0] += quantise(Float32Array.of(update), quantiser, rounding)[0];
        const real = updates.reduce((total, update) => total + update, 0);
        expect(Math.abs(dequantise(sum, quantiser)[0] - real)).toBeLessThan(updates.length / quantiser.scale + 1e-5);
      }),
    );
  });
});
