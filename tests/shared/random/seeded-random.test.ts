import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { xoshiro128PlusPlus } from "../../../shared/random/xoshiro.ts";

interface Snapshot {
  readonly name: [seed: number | string, purpose: string, round: number | null, device: number | string | null];
  readonly uint32: readonly number[];
  readonly uniform: readonly number[];
  readonly below: readonly number[];
  readonly normal: readonly number[];
  readonly shuffle: readonly number[];
}

const vectors: { xoshiro: { state: [number, number, number, number]; outputs: number[] }; streams: Snapshot[] } =
  JSON.parse(readFileSync(new URL("../../vectors/seeded-random.json", import.meta.url), "utf8"));

function draw(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next);
}

describe("xoshiro128++", () => {
  it("gives the outputs of the reference implementation", () => {
    const { next } = xoshiro128PlusPlus(...vectors.xoshiro.state);
    expect(draw(vectors.xoshiro.outputs.length, next)).toEqual(vectors.xoshiro.outputs);
  });

  it("fills an array with what as many calls give, and goes on behind it", () => {
    const one = xoshiro128PlusPlus(...vectors.xoshiro.state);
    const other = xoshiro128PlusPlus(...vectors.xoshiro.state);
    for (const length of [1, 0, 37, 500]) {
      const words = new Uint32Array(length);
      one.fill(words);
      expect([...words]).toEqual(draw(length, other.next));
      expect(one.next()).toBe(other.next());
    }
  });

  it("refuses the all-zero state", () => {
    expect(() => xoshiro128PlusPlus(0, 0, 0, 0)).toThrow(RangeError);
  });
});

describe("seeded streams", () => {
  it.each(vectors.streams)("gives the recorded values for $name", (snapshot) => {
    const [seed, purpose, round, device] = snapshot.name;
    const stream = () => seededRandom(seed, purpose, round ?? undefined, device ?? undefined);
    expect(draw(8, stream().uint32)).toEqual(snapshot.uint32);
    expect(draw(4, stream().uniform)).toEqual(snapshot.uniform);
    const random = stream();
    expect(draw(8, () => random.below(1000))).toEqual(snapshot.below);
    expect(draw(6, stream().normal)).toEqual(snapshot.normal);
    expect(stream().shuffle([...Array(12).keys()])).toEqual(snapshot.shuffle);
  });

  it("gives the same stream for the same name, however much others have drawn", () => {
    const before = draw(10, seededRandom(1, "batches", 3, "d-7").uint32);
    draw(1000, seededRandom(1, "batches", 3, "d-8").uint32);
    expect(draw(10, seededRandom(1, "batches", 3, "d-7").uint32)).toEqual(before);
  });

  it("gives different streams for different names", () => {
    const part = fc.oneof(fc.integer(), fc.string({ maxLength: 8 }));
    const name = fc.tuple(
      part,
      fc.string({ maxLength: 8 }),
      fc.option(fc.nat(), { nil: undefined }),
      fc.option(part, { nil: undefined }),
    );
    fc.assert(
      fc.property(name, name, (a, b) => {
        const same = a.every((value, i) => value === b[i]);
        expect(draw(4, seededRandom(...a).uint32).join() === draw(4, seededRandom(...b).uint32).join()).toBe(same);
      }),
    );
  });

  it("keeps names apart that concatenate to the same text, absent from zero, number from digits", () => {
    const first = [
      seededRandom(1, "a", 1, "b"),
      seededRandom(1, "a", 1),
      seededRandom(1, "a", 0),
      seededRandom(1, "a"),
      seededRandom("1", "a"),
      seededRandom(1, "a", undefined, 1),
      seededRandom(1, "a", undefined, "1"),
      seededRandom(11, "a"),
      seededRandom("1a", ""),
      seededRandom("", "1a"),
    ].map((random) => random.uint32());
    expect(new Set(first).size).toBe(first.length);
  });

  it("refuses numbers in a name that are not exact", () => {
    for (const bad of [Number.NaN, 0.5, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(() => seededRandom(bad, "a")).toThrow(RangeError);
      expect(() => seededRandom(1, "a", bad)).toThrow(RangeError);
    }
  });
});

describe("draws", () => {
  it("keeps below its bound, and refuses bounds that have no meaning", () => {
    const random = seededRandom(7, "bounds");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (bound) => {
        const value = random.below(bound);
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      }),
    );
    for (const bad of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) expect(() => random.below(bad)).toThrow(RangeError);
  });

  it("is unbiased where a plain remainder would favour the lower third twofold", () => {
    // With bound = 3 · 2^30, x % bound maps two words to each value below 2^30 and one to each other value.
    const random = seededRandom(7, "bias");
    const thirds = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) thirds[Math.floor(random.below(3 * 2 ** 30) / 2 ** 30)]++;
    expect(chiSquare(thirds)).toBeLessThan(20);
  });

  it("is uniform over small bounds and over all orders of a shuffle", () => {
    const random = seededRandom(7, "small");
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.below(7)]++;
    expect(chiSquare(counts)).toBeLessThan(30);
    const orders = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = random.shuffle([0, 1, 2, 3]).join("");
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    expect(chiSquare([...orders.values()])).toBeLessThan(60);
  });

  it("samples as a shuffle from the front would, without listing what it samples from", () => {
    const random = seededRandom(7, "sample");
    const pool = [...Array(20).keys()];
    for (let i = 0; i < 5; i++) {
      const other = i + random.below(pool.length - i);
      [pool[i], pool[other]] = [pool[other], pool[i]];
    }
    expect([...seededRandom(7, "sample").sample(20, 5)]).toEqual(pool.slice(0, 5));
    expect([...seededRandom(7, "sample").sample(4, 4)].sort()).toEqual([0, 1, 2, 3]);
    expect(seededRandom(7, "sample").sample(2 ** 31, 3)).toHaveLength(3);
    expect(() => seededRandom(7, "sample").sample(3, 4)).toThrow(/4 distinct numbers of 3/);
  });

  it("shuffles typed arrays in place and keeps their elements", () => {
    const items = Int32Array.from({ length: 1000 }, (_, i) => i);
    const shuffled = seededRandom(7, "shuffle").shuffle(items);
    expect(shuffled).toBe(items);
    expect([...items]).not.toEqual([...Array(1000).keys()]);
    expect([...items].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
  });

  it("draws uniforms in [0, 1) with all 53 bits and the right mean", () => {
    const random = seededRandom(7, "uniform");
    const values = draw(20_000, random.uniform);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(values.some((value) => (value * 2 ** 53) % 2 === 1)).toBe(true);
    expect(Math.abs(values.reduce((a, b) => a + b) / values.length - 0.5)).toBeLessThan(0.01);
  });

  it("draws standard normals: Kolmogorov–Smirnov against the distribution function", () => {
    const random = seededRandom(7, "normal");
    const values = draw(20_000, random.normal).sort((a, b) => a - b);
    let distance = 0;
    values.forEach((value, i) => {
      const cdf = normalCdf(value);
      distance = Math.max(distance, Math.abs(cdf - i / values.length), Math.abs(cdf - (i + 1) / values.length));
    });
    // P(D > 2 / √n) ≈ 2 e^−8, about 0.0007; the seed is fixed.
    expect(distance * Math.sqrt(values.length)).toBeLessThan(2);
  });
});

function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** Abramowitz and Stegun 26.2.17, error below 7.5e-8. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
}
