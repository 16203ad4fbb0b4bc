import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { drawLogGamma } from "../../../simulations/datasets/partitions/gamma.ts";
import {
  type Partition,
  type PartitionSpec,
  partitionExamples,
} from "../../../simulations/datasets/partitions/index.ts";
import { parsePartition, partitionSpecification } from "../../../simulations/datasets/partitions/specification.ts";

const spec: fc.Arbitrary<PartitionSpec> = fc.oneof(
  fc.constant({ kind: "iid" as const }),
  fc.record({ kind: fc.constant("shards" as const), perDevice: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    kind: fc.constant("dirichlet" as const),
    alpha: fc.oneof(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), fc.constantFrom(Number.MIN_VALUE, 1e-300, 1e300)),
  }),
  fc.record({
    kind: fc.constant("quantity" as const),
    sigma: fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.constantFrom(0, 1e300)),
  }),
  fc.constant({ kind: "natural" as const }),
);
const labelSets = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 40, maxLength: 300 });

function deal(labels: readonly number[], devices: number, how: PartitionSpec, seed = 1): Partition {
  return partitionExamples(exampleSet(labels), devices, seededRandom(seed, "partition"), how);
}

/** Owned by the ten devices that there can be, in turn. */
function exampleSet(labels: readonly number[]) {
  return { labels: Int32Array.from(labels), keys: Int32Array.from(labels, (_, i) => i % 10), count: labels.length };
}

/** 10 classes, 600 examples each. */
const balanced = Array.from({ length: 6000 }, (_, i) => i % 10);

function labelCounts(part: Int32Array): number[] {
  const counts = new Array<number>(10).fill(0);
  for (const index of part) counts[balanced[index]]++;
  return counts;
}

describe("every partition", () => {
  it("gives each example to exactly one device, none empty, and about the same number to each unless it is for skew", () => {
    fc.assert(
      fc.property(labelSets, fc.integer({ min: 1, max: 10 }), spec, (labels, devices, how) => {
        const parts = deal(labels, devices, how);
        expect(parts.length).toBe(devices);
        const dealt = parts.flatMap((part) => [...part]).sort((a, b) => a - b);
        expect(dealt).toEqual([...labels.keys()]);
        const sizes = parts.map((part) => part.length);
        expect(Math.min(...sizes)).toBeGreaterThan(0);
        if (how.kind === "quantity" || how.kind === "natural") return;
        const slack = how.kind === "shards" ? how.perDevice : 1;
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(slack);
      }),
    );
  });

  it("comes out of the seed, and differs with it", () => {
    const kinds: PartitionSpec[] = [
      { kind: "iid" },
      { kind: "shards", perDevice: 2 },
      { kind: "dirichlet", alpha: 0.5 },
      { kind: "quantity", sigma: 1 },
      { kind: "natural", perDevice: 1 },
    ];
    for (const how of kinds) {
      expect(deal(balanced, 5, how, 5)).toEqual(deal(balanced, 5, how, 5));
      expect(deal(balanced, 5, how, 5)).not.toEqual(deal(balanced, 5, how, 6));
    }
  });

  it("refuses more devices than there are examples, with its name", () => {
    const kinds: PartitionSpec[] = [
      { kind: "iid" },
      { kind: "shards", perDevice: 1 },
      { kind: "dirichlet", alpha: 1 },
      { kind: "quantity", sigma: 0 },
      { kind: "natural" },
    ];
    for (const how of kinds) {
      expect(() => deal([1, 2, 3], 4, how)).toThrow(expect.objectContaining({ name: "partition-impossible" }));
    }
    expect(() => deal([1, 2, 3], 2, { kind: "shards", perDevice: 2 })).toThrow(/3 training examples.* 4 shards/);
  });
});

describe("the kinds", () => {
  it("iid: every device sees labels as the whole set has them", () => {
    for (const part of deal(balanced, 10, { kind: "iid" })) {
      for (const count of labelCounts(part)) expect(Math.abs(count - 60)).toBeLessThan(35);
    }
  });

  it("shards: with as many shards as fit the classes, a device sees perDevice labels at most", () => {
    const parts = deal(balanced, 20, { kind: "shards", perDevice: 2 });
    for (const part of parts) expect(labelCounts(part).filter((count) => count > 0).length).toBeLessThanOrEqual(2);
  });

  it("shards: which shards go together is drawn, not neighbours", () => {
    const parts = deal(balanced, 20, { kind: "shards", perDevice: 2 });
    const distances = parts.map((part) => {
      const seen = labelCounts(part).flatMap((count, label) => (count > 0 ? [label] : []));
      return Math.max(...seen) - Math.min(...seen);
    });
    expect(Math.max(...distances)).toBeGreaterThan(4);
  });

  it("dirichlet: skew grows as alpha shrinks, from one label a device to all of them alike", () => {
    const largestShare = (alpha: number): number => {
      const shares = deal(balanced, 30, { kind: "dirichlet", alpha }).map((part) => {
        return Math.max(...labelCounts(part)) / part.length;
      });
      return shares.reduce((a, b) => a + b) / shares.length;
    };
    const skew = [1e-300, 0.5, 5, 50, 1e4].map(largestShare);
    expect([...skew].sort((a, b) => b - a)).toEqual(skew);
    expect(skew[0]).toBeGreaterThan(0.85);
    expect(skew[4]).toBeLessThan(0.17);
  });

  it("dirichlet: the first device's label shares have the moments of Dir(alpha · p)", () => {
    // Mean p_i, variance p_i (1 − p_i) / (alpha + 1); drawing 60 labels adds about p_i (1 − p_i) / 60.
    const shares = Array.from({ length: 400 }, (_, seed) => {
      const [part] = deal(balanced, 100, { kind: "dirichlet", alpha: 4 }, seed);
      return labelCounts(part)[3] / part.length;
    });
    const mean = shares.reduce((a, b) => a + b) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(Math.abs(mean - 0.1)).toBeLessThan(0.03);
    const expected = (0.09 / 5) * (1 - 1 / 60) + 0.09 / 60;
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.3);
  });
});

describe("quantity skew", () => {
  const sizes = (sigma: number, seed = 1) =>
    deal(balanced, 100, { kind: "quantity", sigma }, seed).map((p) => p.length);

  it("with sigma 0 is even, to the example", () => {
    expect(Math.max(...sizes(0)) - Math.min(...sizes(0))).toBeLessThanOrEqual(1);
  });

  it("has logarithms of sizes with the deviation sigma", () => {
    const draws = Array.from({ length: 20 }, (_, seed) => sizes(0.7, seed).map(Math.log)).flat();
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const deviation = Math.sqrt(draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length);
    expect(deviation).toBeGreaterThan(0.63);
    expect(deviation).toBeLessThan(0.77);
  });

  it("with sigma 2 gives a few devices most of the examples, and labels as the whole set has them", () => {
    const parts = [...deal(balanced, 100, { kind: "quantity", sigma: 2 })].sort((a, b) => b.length - a.length);
    expect(parts.slice(0, 10).reduce((sum, part) => sum + part.length, 0)).toBeGreaterThan(3000);
    for (const count of labelCounts(parts[0])) expect(Math.abs(count / parts[0].length - 0.1)).toBeLessThan(0.05);
  });
});

describe("the natural partition", () => {
  // Owner k has 10 + k examples.
  const keys = Int32Array.from(Array.from({ length: 6 }, (_, key) => new Array<number>(10 + key).fill(key)).flat());
  const set = { keys, labels: new Int32Array(keys.length), count: keys.length };
  const owners = (devices: number, perDevice?: number) =>
    partitionExamples(set, devices, seededRandom(1, "partition"), {
      kind: "natural",
      ...(perDevice === undefined ? {} : { perDevice }),
    }).map((part) => {
      const mine = [...new Set(Array.from(part, (index) => keys[index]))];
      expect(part.length).toBe(mine.reduce((sum, owner) => sum + 10 + owner, 0));
      return mine;
    });

  it("with as many devices as owners is one owner a device, in order", () => {
    expect(owners(6)).toEqual([[0], [1], [2], [3], [4], [5]]);
  });

  it("deals whole owners to fewer devices, evenly, in an order that is drawn", () => {
    expect(owners(4).map((mine) => mine.length)).toEqual([1, 2, 1, 2]);
    expect(owners(4).flat().sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(owners(4).flat()).not.toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("draws owners where a device wants a number of them", () => {
    const drawn = owners(2, 2);
    expect(drawn.map((mine) => mine.length)).toEqual([2, 2]);
    expect(new Set(drawn.flat()).size).toBe(4);
  });

  it("needs owners, and enough of them", () => {
    expect(() => owners(7)).toThrow(/^6 owners of training examples cannot be 7 devices\.$/);
    expect(() => owners(4, 2)).toThrow(expect.objectContaining({ hint: expect.stringContaining("to 3 or less") }));
    const nobodys = { labels: set.labels, count: set.count };
    const attempt = () => partitionExamples(nobodys, 2, seededRandom(1, "partition"), { kind: "natural" });
    expect(attempt).toThrow(expect.objectContaining({ name: "partition-impossible" }));
  });
});

describe("targets", () => {
  it("are no classes to deal by", () => {
    const set = { labels: Float32Array.of(0.5, 1.5, 2.5), count: 3 };
    const deal = (how: PartitionSpec) => partitionExamples(set, 2, seededRandom(1, "partition"), how);
    expect(() => deal({ kind: "shards", perDevice: 1 })).toThrow(/goes by classes/);
    expect(() => deal({ kind: "dirichlet", alpha: 1 })).toThrow(/goes by classes/);
    expect(deal({ kind: "iid" }).length).toBe(2);
  });
});

describe("the gamma sampler", () => {
  it.each([0.3, 1, 2.5, 40])("has the mean and variance of Gamma(%d, 1)", (shape) => {
    const random = seededRandom(3, "gamma");
    const draws = Array.from({ length: 20_000 }, () => Math.exp(drawLogGamma(shape, random)));
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean / shape - 1)).toBeLessThan(0.06);
    expect(Math.abs(variance / shape - 1)).toBeLessThan(0.1);
  });

  it("with a tiny shape gives a logarithm, not zero", () => {
    const random = seededRandom(3, "gamma");
    for (let i = 0; i < 100; i++) expect(Number.isFinite(drawLogGamma(1e-4, random))).toBe(true);
    expect(() => drawLogGamma(0, random)).toThrow(RangeError);
  });
});

describe("a partition's specification", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(spec, (how) => {
        expect(parsePartition(partitionSpecification(how))).toEqual(how);
      }),
    );
    expect(partitionSpecification({ kind: "dirichlet", alpha: 0.5 })).toBe("dirichlet:0.5");
    expect(parsePartition(partitionSpecification({ kind: "drawn", perDevice: 600 }))).toEqual({
      kind: "drawn",
      perDevice: 600,
    });
  });

  it.each([
    "",
    "iid:1",
    "shards",
    "shards:0",
    "shards:1.5",
    "shards:2:3",
    "shards: 2",
    "dirichlet:-1",
    "dirichlet:0",
    "quantity:-0.5",
    "quantity",
    "natural:0",
    "natural:1.5",
    "dirichlet:Infinity",
    "drawn:0",
    "other:1",
  ])("is none: %j", (text) => expect(parsePartition(text)).toBeUndefined());
});
