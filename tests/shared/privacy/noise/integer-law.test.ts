import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../../shared/crypto/node-provider.ts";
import { discreteGaussianWeights, skellamWeights } from "../../../../shared/privacy/noise/bounded-weights.ts";
import { type IntegerLaw, integerLaw } from "../../../../shared/privacy/noise/integer-law.ts";
import { type NoiseWords, seededWords, systemWords } from "../../../../shared/privacy/noise/noise-words.ts";
import { rationalOf } from "../../../../shared/privacy/noise/rational.ts";
import { rejectionGaussian } from "../../../../shared/privacy/noise/rejection-law.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import reference from "../../../vectors/dp_accounting.json" with { type: "json" };

const gaussian = (deviation: number): IntegerLaw => integerLaw(discreteGaussianWeights(rationalOf(deviation ** 2)));
const skellam = (variance: number): IntegerLaw => integerLaw(skellamWeights(rationalOf(variance)));
const system = systemWords(cryptoProvider.random);

/** Words that are given; then zeros. */
function givenWords(...given: number[]): NoiseWords<"seeded"> {
  return {
    origin: "seeded",
    fill(words) {
      for (let i = 0; i < words.length; i++) words[i] = given.shift() ?? 0;
    },
  };
}

/** How many deviations χ² lies above what it is on average (Wilson and Hilferty 1931). */
function chiSquareDeviations(observed: readonly number[], expected: readonly number[]): number {
  let square = 0;
  for (let i = 0; i < observed.length; i++) square += (observed[i] - expected[i]) ** 2 / expected[i];
  const freedom = observed.length - 1;
  const spread = 2 / (9 * freedom);
  return (Math.cbrt(square / freedom) - 1 + spread) / Math.sqrt(spread);
}

/** Counts of values, those that are rare put together. */
function binned(values: Int32Array, law: IntegerLaw): { observed: number[]; expected: number[] } {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const observed: number[] = [];
  const expected: number[] = [];
  let seen = 0;
  let due = 0;
  const close = (): void => {
    observed.push(seen);
    expected.push(due);
    seen = 0;
    due = 0;
  };
  const least = values.reduce((a, b) => Math.min(a, b), 0) - 1;
  const most = values.reduce((a, b) => Math.max(a, b), 0) + 1;
  let mass = 0;
  for (let k = least; k <= most; k++) {
    seen += counts.get(k) ?? 0;
    due += values.length * law.probability(k);
    mass += law.probability(k);
    if (due >= 20) close();
  }
  due += values.length * (1 - mass);
  observed[observed.length - 1] += seen;
  expected[expected.length - 1] += due;
  return { observed, expected };
}

const moment = (law: IntegerLaw, power: number, reach: number): number => {
  let sum = 0;
  for (let k = -reach; k <= reach; k++) sum += k ** power * law.probability(k);
  return sum;
};

const DRAWS = 1_000_000;
// p > 1e-4.
const UNLIKELY = 3.72;

describe.each([0.5, 1, 4, 30, 300])(
  "the discrete Gaussian of σ = %d, from the operating system's words",
  (deviation) => {
    const law = gaussian(deviation);
    const values = new Int32Array(DRAWS);
    law.draw(values, system);

    it("has its probabilities", () => {
      const { observed, expected } = binned(values, law);
      expect(chiSquareDeviations(observed, expected)).toBeLessThan(UNLIKELY);
    });

    it("has its own variance, which at small σ is not σ²", () => {
      const variance = moment(law, 2, Math.ceil(15 * deviation));
      const measured = values.reduce((sum, value) => sum + value * value, 0) / DRAWS;
      expect(Math.abs(measured / variance - 1)).toBeLessThan(4 * Math.sqrt(2 / DRAWS) * Math.max(1, 0.6 / deviation));
    });

    it("is symmetric, and one draw tells nothing of the next", () => {
      const mean = values.reduce((sum, value) => sum + value, 0) / DRAWS;
      const square = values.reduce((sum, value) => sum + value * value, 0) / DRAWS;
      expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(square / DRAWS));
      let lagged = 0;
      for (let i = 1; i < values.length; i++) lagged += values[i] * values[i - 1];
      expect(Math.abs(lagged / DRAWS / square)).toBeLessThan(4 / Math.sqrt(DRAWS));
    });
  },
);

describe.each([1, 16, 900, 90_000])("the Skellam law of variance %d", (variance) => {
  const law = skellam(variance);

  it("has its probabilities and its variance", () => {
    const values = new Int32Array(DRAWS / 4);
    law.draw(values, system);
    const { observed, expected } = binned(values, law);
    expect(chiSquareDeviations(observed, expected)).toBeLessThan(UNLIKELY);
    const reach = Math.ceil(20 * Math.sqrt(variance) + 20);
    expect(moment(law, 2, reach)).toBeCloseTo(variance, variance > 1000 ? 4 : 9);
    expect(moment(law, 0, reach)).toBeCloseTo(1, 12);
  });
});

describe("the discrete Gaussian by rejection", () => {
  it.each([0.5, 3, 40])("of σ = %d is the same law: it serves where a table would be too wide", (deviation) => {
    const values = new Int32Array(20_000);
    rejectionGaussian(rationalOf(deviation ** 2)).addTo(values, system);
    const { observed, expected } = binned(values, gaussian(deviation));
    expect(chiSquareDeviations(observed, expected)).toBeLessThan(UNLIKELY);
  });

  it("has the deviation of a wide one", () => {
    const deviation = 150_000.5;
    const values = new Int32Array(20_000);
    rejectionGaussian(rationalOf(deviation ** 2)).addTo(values, system);
    const measured = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    expect(Math.abs(measured / deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length));
    expect(() => rejectionGaussian(rationalOf(0))).toThrow(RangeError);
  });
});

describe("probabilities", () => {
  it.each(reference.discrete_gaussian_pmf)("of the discrete Gaussian of σ = $sigma are the reference's", (row) => {
    const law = gaussian(row.sigma);
    expect(law.probability(0) / row.p0).toBeCloseTo(1, 12);
    expect(law.probability(1) / row.p1).toBeCloseTo(1, 12);
    expect(law.probability(-2) / row.p2).toBeCloseTo(1, 12);
    const variance = moment(law, 2, 100);
    expect(variance / row.variance).toBeCloseTo(1, 12);
  });

  it("of the Skellam law are those of a difference of two Poisson variables", () => {
    const mean = 1.75;
    const poisson = (k: number): number => {
      let value = Math.exp(-mean);
      for (let i = 1; i <= k; i++) value *= mean / i;
      return value;
    };
    const law = skellam(2 * mean);
    for (let k = -12; k <= 12; k++) {
      let sum = 0;
      for (let j = 0; j < 60; j++) if (j + k >= 0) sum += poisson(j) * poisson(j + k);
      expect(law.probability(k) / sum).toBeCloseTo(1, 10);
    }
  });

  it("of a wide discrete Gaussian are the density's", () => {
    const law = gaussian(1000);
    for (const k of [0, 1, 500, 3000]) {
      const density = Math.exp(-(k * k) / 2e6) / Math.sqrt(2 * Math.PI * 1e6);
      expect(law.probability(k) / density).toBeCloseTo(1, 11);
    }
  });
});

describe("a draw", () => {
  it("is the inverse of the distribution function at the words drawn, to the last bit", () => {
    const law = gaussian(4);
    // P[|X| ≤ k] as fractions of 2^96, from the weights at a precision that nothing here needs.
    const { lower } = discreteGaussianWeights(rationalOf(16))(512);
    const total = lower.reduce((sum, weight, k) => sum + (k === 0 ? weight : 2n * weight), 0n);
    const bounds: bigint[] = [];
    let sum = 0n;
    lower.forEach((weight, k) => {
      sum += k === 0 ? weight : 2n * weight;
      bounds.push((sum << 128n) / total);
    });
    const word = (bits: bigint, at: number): number => Number((bits >> BigInt(128 - 32 * (at + 1))) & 0xffff_ffffn);
    const drawn = (u: bigint): number => {
      const words = [0, 1, 2, 3].map((at) => word(u, at));
      const needed = words.findIndex(
        (_, at) => !bounds.some((bound) => bound >> BigInt(96 - 32 * at) === u >> BigInt(96 - 32 * at)),
      );
      const values = new Int32Array(1);
      // The sign's word comes behind those that decide; 64 bits are drawn at once beyond the first 64.
      law.draw(values, givenWords(...words.slice(0, needed === 0 || needed === 1 ? needed + 1 : 4), 0));
      return values[0];
    };
    // Nearer to 1 it can take more than 128 bits to decide.
    const DECIDED = (1n << 128n) - (1n << 64n);
    const inverse = (u: bigint): number => bounds.findIndex((bound) => u < bound);
    fc.assert(
      fc.property(fc.bigInt(0n, DECIDED), (u) => {
        expect(drawn(u)).toBe(inverse(u));
      }),
      { numRuns: 300 },
    );
    // Around every bound: one below, one above, at 32, 64 and 128 bits.
    for (const bound of bounds.slice(0, 40)) {
      for (const step of [1n, 1n << 63n, 1n << 64n, 1n << 95n, 1n << 96n]) {
        for (const u of [bound - step, bound + step]) {
          if (u < 0n || u > DECIDED) continue;
          expect(drawn(u)).toBe(inverse(u));
        }
      }
    }
  });

  it("is added mod 2^32 to what is there", () => {
    const values = Int32Array.from([2 ** 31 - 1, -(2 ** 31), 7, 0]);
    const law = gaussian(30);
    const drawn = new Int32Array(4);
    law.draw(drawn, seededWords(seededRandom(1, "noise")));
    law.addTo(values, seededWords(seededRandom(1, "noise")));
    expect([...values]).toEqual([2 ** 31 - 1, -(2 ** 31), 7, 0].map((value, i) => (value + drawn[i]) | 0));
  });

  it("from a seed is the same again", () => {
    const [a, b] = [new Int32Array(1000), new Int32Array(1000)];
    for (const values of [a, b]) skellam(900).draw(values, seededWords(seededRandom(3, "noise", 1)));
    expect(a).toEqual(b);
    expect(new Set(a).size).toBeGreaterThan(50);
  });
});

it("nothing that draws noise or coins, clips or accounts uses Math.random", () => {
  const root = new URL("../../../../", import.meta.url);
  const folders = ["shared/privacy", "shared/learning/transforms", "shared/random", "simulations/experiments/privacy"];
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`),
  );
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((file) => readFileSync(new URL(file, root), "utf8").includes("Math.random"))).toEqual([]);
});

it("words of a seed are not those of the operating system, to the compiler", () => {
  const protect = (words: NoiseWords<"system">): string => words.origin;
  // @ts-expect-error a seed's words protect nobody
  protect(seededWords(seededRandom(1, "noise")));
  expect(protect(system)).toBe("system");
});
