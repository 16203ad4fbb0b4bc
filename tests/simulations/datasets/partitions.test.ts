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
);
const labelSets = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 40, maxLength: 300 });

function deal(labels: readonly number[], devices: number, how: PartitionSpec, seed = 1): Partition {
  return partitionExamples(labels, devices, seededRandom(seed, "partition"), how);
}

/** 10 classes, 600 examples each. */
const balanced = Array.from({ length: 6000 }, (_, i) => i % 10);

function labelCounts(part: Int32Array): number[] {
  const counts = new Array<number>(10).fill(0);
  for (const index of part) counts[balanced[index]]++;
  return counts;
}

describe("every partition", () => {
  it("gives each example to exactly one device, about the same number to each, none empty", () => {
    fc.assert(
      fc.property(labelSets, fc.integer({ min: 1, max: 10 }), spec, (labels, devices, how) => {
        const parts = deal(labels, devices, how);
        expect(parts.length).toBe(devices);
        const dealt = parts.flatMap((part) => [...part]).sort((a, b) => a - b);
        expect(dealt).toEqual([...labels.keys()]);
        const sizes = parts.map((part) => part.length);
        expect(Math.min(...sizes)).toBeGreaterThan(0);
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
    ];
    for (const how of kinds) {
      expect(deal(balanced, 20, how, 5)).toEqual(deal(balanced, 20, how, 5));
      expect(deal(balanced, 20, how, 5)).not.toEqual(deal(balanced, 20, how, 6));
    }
  });

  it("refuses more devices than there are examples, with its name", () => {
    const kinds: PartitionSpec[] = [{ kind: "iid" }, { kind: "shards", perDevice: 1 }, { kind: "dirichlet", alpha: 1 }];
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
    "dirichlet:Infinity",
    "drawn:0",
    "other:1",
  ])("is none: %j", (text) => expect(parsePartition(text)).toBeUndefined());
});
