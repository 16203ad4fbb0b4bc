import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SecureRandom } from "../../../shared/random/secure-random.ts";
import { barycentricWeights, divide, lagrangeWeights, multiply } from "../../../shared/secagg/galois-field.ts";
import {
  combineShares,
  createWeightCache,
  SECRET_LENGTH,
  type Share,
  ShareError,
  splitSecret,
} from "../../../shared/secagg/secret-sharing.ts";
import { slowEvaluate, slowInterpolate, slowInverse, slowMultiply } from "./slow-galois-field.ts";

const system: SecureRandom = { kind: "secure", bytes: (length) => new Uint8Array(randomBytes(length)) };
/** Hands out exactly these bytes, and says so when asked for another number. */
const fixed = (bytes: Uint8Array): SecureRandom => ({
  kind: "secure",
  bytes: (length) => {
    if (length !== bytes.length) throw new Error(`${length} random bytes were drawn, not ${bytes.length}`);
    return bytes.slice();
  },
});
const text = (value: string) => new TextEncoder().encode(value);
const secretBytes = fc.uint8Array({ minLength: SECRET_LENGTH, maxLength: SECRET_LENGTH });
const sizes = fc
  .integer({ min: 2, max: 40 })
  .chain((holders) => fc.tuple(fc.integer({ min: 2, max: holders }), fc.constant(holders)));

/** `count` of the shares, drawn by the seed, in a drawn order. */
function draw(shares: readonly Share[], count: number, seed: number): Share[] {
  const key = ({ slot }: Share) => createHash("sha256").update(`${seed} ${slot}`).digest("hex");
  return [...shares].sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, count);
}

describe("GF(2^8)", () => {
  it("has the products of FIPS 197 section 4.2", () => {
    expect(multiply(0x57, 0x83)).toBe(0xc1);
    expect(multiply(0x57, 0x13)).toBe(0xfe);
    expect([0x02, 0x04, 0x08, 0x10].map((power) => multiply(0x57, power))).toEqual([0xae, 0x47, 0x8e, 0x07]);
  });

  it("agrees with carry-less multiplication for all 65,536 pairs, and divides back", () => {
    let differences = 0;
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        if (multiply(a, b) !== slowMultiply(a, b)) differences++;
        if (b !== 0 && divide(multiply(a, b), b) !== a) differences++;
      }
    }
    expect(differences).toBe(0);
    expect(divide(1, 0x53)).toBe(slowInverse(0x53));
    expect(() => divide(1, 0)).toThrow(RangeError);
  });

  it("interpolates as Lagrange's formula does", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 255 }), fc.nat(255)), {
          minLength: 1,
          maxLength: 12,
          selector: ([x]) => x,
        }),
        fc.nat(255),
        (points, at) => {
          const places = points.map(([x]) => x);
          fc.pre(!places.includes(at));
          const weights = lagrangeWeights(places, barycentricWeights(places), at);
          const value = points.reduce((sum, [, y], i) => sum ^ multiply(weights[i], y), 0);
          expect(value).toBe(slowInterpolate(points, at));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("sharing a secret", () => {
  it("evaluates secret + c_1 x + c_2 x^2 + … at the slots 1 … k, bytewise", () => {
    fc.assert(
      fc.property(secretBytes, sizes, fc.nat(), (secret, [threshold, holders], seed) => {
        const coefficients = new Uint8Array((threshold - 1) * SECRET_LENGTH).map((_, i) => (i * 167 + seed) & 0xff);
        const shares = splitSecret(secret, threshold, holders, fixed(coefficients));
        expect(shares.map(({ slot }) => slot)).toEqual(Array.from({ length: holders }, (_, i) => i + 1));
        const { slot, value } = shares[seed % holders];
        const expected = secret.map((byte, position) =>
          slowEvaluate(
            [
              byte,
              ...Array.from({ length: threshold - 1 }, (_, power) => coefficients[power * SECRET_LENGTH + position]),
            ],
            slot,
          ),
        );
        expect(value).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it("gives the secret back from any t shares, in any order, and from more", () => {
    fc.assert(
      fc.property(secretBytes, sizes, fc.nat(), (secret, [threshold, holders], seed) => {
        const shares = splitSecret(secret, threshold, holders, system);
        expect(combineShares(draw(shares, threshold, seed))).toEqual(secret);
        expect(combineShares(draw(shares, threshold + (seed % (holders - threshold + 1)), seed))).toEqual(secret);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ["a text", text("abcdefghijklmnopqrstuvwxyz123456")],
    ["a zero byte inside", text("abcdefghijklmnopqrstuvwxyz\u0000bcdef")],
    ["high-order bytes", new Uint8Array(32).map((_, i) => [128, 197, 255, 7][i % 4])],
    ["nothing but zeros", new Uint8Array(32)],
    ["nothing but ones", new Uint8Array(32).fill(255)],
  ] as [string, Uint8Array][])("survives missing shares: %s", (_, secret) => {
    const shares = splitSecret(secret, 4, 6, system);
    expect(combineShares(shares.filter(({ slot }) => slot !== 1 && slot !== 3))).toEqual(secret);
  });

  it("reaches the last slot", () => {
    const secret = system.bytes(32);
    const shares = splitSecret(secret, 128, 255, system);
    expect(shares[254].slot).toBe(255);
    expect(combineShares(shares.slice(127))).toEqual(secret);
  });

  it.each([
    ["no secret", 0, 2, 5],
    ["a short secret", 31, 2, 5],
    ["a long secret", 33, 2, 5],
    ["a threshold above the holders", 32, 6, 5],
    ["a threshold of one, which hands out the secret", 32, 1, 5],
    ["a threshold of zero", 32, 0, 5],
    ["a broken threshold", 32, 2.5, 5],
    ["one holder", 32, 1, 1],
    ["more holders than the field has slots", 32, 2, 256],
    ["holders that are no number", 32, 2, Number.NaN],
  ])("refuses %s", (_, length, threshold, holders) => {
    expect(() => splitSecret(new Uint8Array(length), threshold, holders, system)).toThrow(RangeError);
  });

  it.each([
    ["no shares", []],
    ["a share of 3 bytes", [{ slot: 1, value: new Uint8Array(3) }]],
    ["an empty share", [{ slot: 1, value: new Uint8Array(0) }]],
    ["a share that is too long", [{ slot: 1, value: new Uint8Array(33) }]],
    [
      "shares of different lengths",
      [
        { slot: 1, value: new Uint8Array(32) },
        { slot: 2, value: new Uint8Array(31) },
      ],
    ],
    ["a share at zero, where the secret lies", [{ slot: 0, value: new Uint8Array(32) }]],
    ["a slot past the field", [{ slot: 256, value: new Uint8Array(32) }]],
    ["a slot between two", [{ slot: 1.5, value: new Uint8Array(32) }]],
    [
      "one slot twice",
      [
        { slot: 7, value: new Uint8Array(32) },
        { slot: 7, value: new Uint8Array(32) },
      ],
    ],
  ])("does not combine %s", (_, shares) => {
    expect(() => combineShares(shares)).toThrow(ShareError);
  });

  it("leaves the caller's secret and shares alone", () => {
    const secret = system.bytes(32);
    const before = secret.slice();
    const shares = splitSecret(secret, 2, 3, system);
    const kept = shares.map(({ value }) => value.slice());
    combineShares(shares.slice(0, 2));
    expect(secret).toEqual(before);
    expect(shares.map(({ value }) => value)).toEqual(kept);
  });

  it("combines the same with cached weights, also when the cache overflows", () => {
    const weights = createWeightCache(3);
    for (let round = 0; round < 40; round++) {
      const secret = system.bytes(32);
      const shares = draw(splitSecret(secret, 3, 6, system), 3, round % 7);
      expect(combineShares(shares, weights)).toEqual(secret);
    }
  });
});

describe("fewer than t shares", () => {
  it("agree with every secret equally: for any t - 1 shares each secret has exactly one polynomial", () => {
    // Two shares at threshold three. Whatever they show, every secret byte fits, and fixes every other share.
    const shares = splitSecret(system.bytes(32), 3, 5, system).slice(0, 2);
    const points = shares.map(({ slot, value }) => [slot, value[0]] as const);
    const thirdShares = new Set<number>();
    for (let guess = 0; guess < 256; guess++) thirdShares.add(slowInterpolate([[0, guess], ...points], 3));
    expect(thirdShares.size).toBe(256);
  });

  it("are, over the coefficients, uniform and the same for all secrets: exhaustively for t = 3 in one byte", () => {
    // All 65,536 choices of (c_1, c_2): the pair of shares takes each of the 65,536 values once, whatever the secret.
    for (const byte of [0, 0x57]) {
      const secret = new Uint8Array(32).fill(byte);
      const seen = new Uint8Array(65_536);
      // 32 byte positions carry 32 choices of c_2 at a time.
      for (let c1 = 0; c1 < 256; c1++) {
        for (let block = 0; block < 256; block += 32) {
          const coefficients = new Uint8Array(64);
          for (let i = 0; i < 32; i++) coefficients.set([c1], i);
          for (let i = 0; i < 32; i++) coefficients.set([block + i], 32 + i);
          const [, second, , , fifth] = splitSecret(secret, 3, 5, fixed(coefficients));
          for (let i = 0; i < 32; i++) seen[second.value[i] * 256 + fifth.value[i]]++;
        }
      }
      expect(seen.every((count) => count === 1)).toBe(true);
    }
  });

  it("have bytes that no chi-square test tells from uniform, for the plainest secret", () => {
    const counts = new Float64Array(256);
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      // Any three shares are independent at t = 3, so this is the textbook test.
      const [, second, third, , fifth] = splitSecret(new Uint8Array(32), 3, 5, system);
      for (const { value } of [second, third, fifth]) for (const byte of value) counts[byte]++;
    }
    const expected = (runs * 3 * 32) / 256;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6. Eight of them either way, so that it does not flicker.
    expect(chiSquare).toBeGreaterThan(100);
    expect(chiSquare).toBeLessThan(440);
  });

  it("may have a top coefficient of zero: forbidding it would rule secrets out", () => {
    const coefficients = new Uint8Array(64);
    coefficients.fill(9, 0, 32);
    const secret = new Uint8Array(32).fill(0x41);
    const shares = splitSecret(secret, 3, 4, fixed(coefficients));
    // The polynomial is a line, and two of its shares say so; a third is still asked for.
    expect(shares.map(({ value }) => value[0])).toEqual([1, 2, 3, 4].map((slot) => 0x41 ^ slowMultiply(9, slot)));
  });

  it("draw a coefficient from the system for every byte and power, and nothing else", () => {
    const asked: number[] = [];
    const counting: SecureRandom = {
      kind: "secure",
      bytes: (length) => {
        asked.push(length);
        return system.bytes(length);
      },
    };
    splitSecret(new Uint8Array(32), 16, 26, counting);
    expect(asked).toEqual([15 * 32]);
  });
});
