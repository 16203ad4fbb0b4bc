import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Keystream } from "../../../shared/crypto/provider.ts";
import { createRingAccumulator, PackedVectorError, packedLength } from "../../../shared/secagg/ring-accumulator.ts";
import { packReference, residue, signedReference } from "./bigint-ring.ts";

const WIDTHS = Array.from({ length: 25 }, (_, i) => 8 + i);
const ENGINES = ["wasm", "reference"] as const;

/** A keystream that repeats `bytes`. */
function repeating(bytes: readonly number[]): Keystream {
  let position = 0;
  return {
    next(length) {
      const chunk = Uint8Array.from({ length }, (_, i) => bytes[(position + i) % bytes.length]);
      position += length;
      return chunk;
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

describe("packing", () => {
  // fcp/secagg's secagg_vector_test packs mod 32 and mod 512. A ring here has at least 8 bits; the layout is the same,
  // so 5-bit coordinates are packed as the digits of wider ones.
  it("has the layout of Google's vectors: {13, 17, 19} mod 512 is 0D 22 4C 00", () => {
    const accumulator = createRingAccumulator(3, 9);
    accumulator.load(Int32Array.of(13, 17, 19));
    expect(hex(accumulator.pack())).toBe("0d 22 4c 00");
    expect(hex(packReference([13, 17, 19], 9))).toBe("0d 22 4c 00");
    accumulator.dispose();
  });

  it("has the layout of Google's vectors: {1, 3, 7, 15} mod 32 is 61 9C 07", () => {
    expect(hex(packReference([1, 3, 7, 15], 5))).toBe("61 9c 07");
    const accumulator = createRingAccumulator(2, 10);
    accumulator.load(Int32Array.of(1 + (3 << 5), 7 + (15 << 5)));
    expect(hex(accumulator.pack())).toBe("61 9c 07");
    accumulator.dispose();
  });

  it.each(WIDTHS)("is undone by adding to zero, %i bits, at odd dimensions and around every chunk boundary", (bits) => {
    const perChunk = Math.floor(65_536 / bits) * 8;
    for (const dimension of [1, 2, 7, 8, 9, 31, perChunk - 1, perChunk, perChunk + 1, 2 * perChunk + 3]) {
      const values = new Int32Array(dimension);
      for (let i = 0; i < dimension; i++) values[i] = Math.imul(i + 1, 0x9e3779b1) >> (32 - bits);
      const [source, target] = [createRingAccumulator(dimension, bits), createRingAccumulator(dimension, bits)];
      source.load(values);
      const packed = source.pack();
      expect(packed.length).toBe(packedLength(dimension, bits));
      expect(firstDifference(source.toSignedSum(), values)).toBe(-1);
      target.addPacked(packed);
      expect(firstDifference(target.toSignedSum(), values)).toBe(-1);
      target.addPacked(packed);
      const doubled = values.map((value) => (value << (33 - bits)) >> (32 - bits));
      expect(firstDifference(target.toSignedSum(), doubled)).toBe(-1);
      source.dispose();
      target.dispose();
    }
  });

  it.each(WIDTHS)("keeps every coordinate in its place beside extreme neighbours, %i bits", (bits) => {
    const top = 2 ** (bits - 1) - 1;
    for (let place = 0; place < 17; place++) {
      const values = Int32Array.from({ length: 17 }, (_, i) => (i === place ? top : -1));
      const accumulator = createRingAccumulator(17, bits);
      accumulator.load(values);
      expect(accumulator.pack()).toEqual(packReference(Array.from(values), bits));
      accumulator.dispose();
    }
  });

  it("leaves no trace of masks in the unused bits of the last byte", () => {
    // The last chunk is short, and what the one before it left in the staging area is 0xff.
    for (const dimension of [3, 32_768 + 3]) {
      const accumulator = createRingAccumulator(dimension, 9);
      accumulator.addKeystream(repeating([0xff]), 1);
      expect(hex(accumulator.pack().slice(-4))).toBe("ff ff ff 07");
      accumulator.dispose();
    }
  });
});

describe("a packed upload is refused, and nothing of it added,", () => {
  const accumulator = createRingAccumulator(3, 9);
  const unchanged = (bytes: Uint8Array, sentence: string) => {
    accumulator.load(Int32Array.of(1, 2, 3));
    expect(() => accumulator.addPacked(bytes)).toThrow(new PackedVectorError(sentence));
    expect(accumulator.toSignedSum()).toEqual(Int32Array.of(1, 2, 3));
  };
  const lengthSentence = (length: number) => `a vector of 3 coordinates of 9 bits takes 4 bytes, not ${length}`;

  it("when it is too short", () => unchanged(new Uint8Array(3), lengthSentence(3)));
  it("when it is empty", () => unchanged(new Uint8Array(0), lengthSentence(0)));
  it("when it is too long", () => unchanged(new Uint8Array(5), lengthSentence(5)));
  it.each([3, 4, 5, 6, 7])("when unused bit %i of the last byte is set", (bit) => {
    unchanged(Uint8Array.of(1, 2, 3, 1 << bit), "the last 5 bits of a packed vector must be zero");
  });
  it("but the highest used bit is no unused bit", () => {
    accumulator.reset();
    accumulator.addPacked(Uint8Array.of(0, 0, 0, 0b100));
    expect(accumulator.toSignedSum()).toEqual(Int32Array.of(0, 0, -256));
  });
});

describe.each(ENGINES)("the %s engine", (engine) => {
  it.each(WIDTHS)("agrees with BigInt over any sequence of additions, %i bits", (bits) => {
    const laneBits = bits <= 16 ? 16 : 32;
    const step = (dimension: number) =>
      fc.oneof(
        fc.record({ kind: fc.constant("packed" as const), values: vector(dimension, bits) }),
        fc.record({
          kind: fc.constant("mask" as const),
          values: vector(dimension, laneBits),
          sign: fc.constantFrom(1, -1),
        }),
      );
    const scenario = fc
      .integer({ min: 1, max: 19 })
      .chain((dimension) => fc.tuple(vector(dimension, bits), fc.array(step(dimension), { maxLength: 6 })));
    fc.assert(
      fc.property(scenario, ([start, steps]) => {
        const accumulator = createRingAccumulator(start.length, bits, engine);
        const expected = start.map((value) => BigInt(value));
        accumulator.load(Int32Array.from(start));
        for (const step of steps) {
          const sign = step.kind === "mask" ? (step.sign as 1 | -1) : 1;
          if (step.kind === "packed") accumulator.addPacked(packReference(step.values, bits));
          else accumulator.addKeystream(repeating(Array.from(packReference(step.values, laneBits))), sign);
          step.values.forEach((value, i) => {
            expected[i] += BigInt(sign) * BigInt(value);
          });
        }
        expect(Array.from(accumulator.toSignedSum())).toEqual(expected.map((value) => signedReference(value, bits)));
        expect(accumulator.pack()).toEqual(
          packReference(
            expected.map((value) => residue(value, bits)),
            bits,
          ),
        );
        accumulator.dispose();
      }),
      { numRuns: 25 },
    );
  });

  it.each([8, 16, 17, 32])("wraps silently at the ends of %i bits, in both directions", (bits) => {
    const accumulator = createRingAccumulator(2, bits, engine);
    const top = 2 ** (bits - 1) - 1;
    accumulator.load(Int32Array.of(top, -top - 1));
    accumulator.addPacked(packReference([1, -1], bits));
    expect(accumulator.toSignedSum()).toEqual(Int32Array.of(-top - 1, top));
    accumulator.dispose();
  });
});

describe("the sum", () => {
  it("is right when every device sits at the clip, on either side", () => {
    // q = 16, n = 16: the ring of 20 bits is used to within 16 of its end.
    for (const sign of [1, -1]) {
      const sum = createRingAccumulator(33, 20);
      const upload = packReference(new Array(33).fill(sign * 32_767), 20);
      for (let device = 0; device < 16; device++) sum.addPacked(upload);
      expect(sum.toSignedSum()).toEqual(new Int32Array(33).fill(sign * 16 * 32_767));
      sum.dispose();
    }
  });

  it("does not depend on the order in which uploads arrive", () => {
    const uploads = fc.array(vector(11, 21), { minLength: 2, maxLength: 8 });
    const orders = uploads.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(orders, ([first, second]) => {
        const [a, b] = [first, second].map((order) => {
          const sum = createRingAccumulator(11, 21);
          for (const upload of order) sum.addPacked(packReference(upload, 21));
          const result = sum.toSignedSum();
          sum.dispose();
          return result;
        });
        expect(a).toEqual(b);
      }),
    );
  });
});

describe("memory", () => {
  it("is used again, so that a fleet's rounds do not run out of address space", () => {
    for (let round = 0; round < 60; round++) {
      const fleet = Array.from({ length: 26 }, () => createRingAccumulator(1000, 20));
      for (const accumulator of fleet) accumulator.dispose();
    }
  });

  it("is wiped in between: the next accumulator of any size starts at zero", () => {
    const first = createRingAccumulator(50_000, 32);
    first.addKeystream(repeating([0xff]), 1);
    first.dispose();
    const second = createRingAccumulator(60_000, 16);
    expect(second.toSignedSum().every((value) => value === 0)).toBe(true);
    second.dispose();
  });

  it("is not shared by two accumulators in use", () => {
    const [a, b] = [createRingAccumulator(5, 20), createRingAccumulator(5, 20)];
    a.load(Int32Array.of(1, 2, 3, 4, 5));
    expect(b.toSignedSum()).toEqual(new Int32Array(5));
    a.dispose();
    a.dispose();
    const [c, d] = [createRingAccumulator(5, 20), createRingAccumulator(5, 20)];
    c.load(Int32Array.of(1, 1, 1, 1, 1));
    expect(d.toSignedSum()).toEqual(new Int32Array(5));
    for (const accumulator of [b, c, d]) accumulator.dispose();
  });

  it("cannot be reached through an accumulator that was disposed", () => {
    const accumulator = createRingAccumulator(3, 9);
    accumulator.dispose();
    for (const use of [
      () => accumulator.load(new Int32Array(3)),
      () => accumulator.addKeystream(repeating([1]), 1),
      () => accumulator.addPacked(new Uint8Array(4)),
      () => accumulator.pack(),
      () => accumulator.toSignedSum(),
      () => accumulator.reset(),
    ]) {
      expect(use).toThrow("disposed");
    }
  });
});

describe("shapes that cannot be represented are refused:", () => {
  it.each([7, 33, 8.5, Number.NaN])("%f bits", (bits) => {
    expect(() => createRingAccumulator(10, bits)).toThrow(RangeError);
  });
  it.each([0, -1, 1.5, 2 ** 29])("%f coordinates", (dimension) => {
    expect(() => createRingAccumulator(dimension, 20)).toThrow(RangeError);
  });
  it("loading a vector of another dimension", () => {
    const accumulator = createRingAccumulator(3, 9);
    expect(() => accumulator.load(new Int32Array(4))).toThrow("expected 3 ring coordinates, got 4");
    accumulator.dispose();
  });
});

/** Where two vectors differ first, −1 where nowhere: comparing long arrays structurally takes a hundred times longer. */
function firstDifference(a: Int32Array, b: Int32Array): number {
  return a.length === b.length ? a.findIndex((value, i) => value !== b[i]) : Math.min(a.length, b.length);
}

/** Signed coordinates of b bits, often at the ends. */
function vector(dimension: number, bits: number): fc.Arbitrary<number[]> {
  const [min, max] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const coordinate = fc.oneof(fc.constantFrom(min, -1, 0, 1, max), fc.integer({ min, max }));
  return fc.array(coordinate, { minLength: dimension, maxLength: dimension });
}
