import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heterogeneityOf, hypergeometricDeviation } from "../../../simulations/datasets/heterogeneity.ts";
import { loadDataset } from "../../../simulations/datasets/index.ts";
import { countLabels, type LabelCounts } from "../../../simulations/datasets/label-counts.ts";
import { type HoldingsSpec, holdExamples } from "../../../simulations/datasets/partitions/holdings.ts";

function counted(rows: readonly (readonly number[])[]): LabelCounts {
  return {
    labels: rows[0].map((_, label) => String(label)),
    devices: Int32Array.from(rows, (_, device) => device),
    sizes: Int32Array.from(rows, (row) => row.reduce((a, b) => a + b)),
    of: Int32Array.from(rows.flat()),
    pool: Int32Array.from(rows[0], (_, label) => rows.reduce((held, row) => held + row[label], 0)),
  };
}

describe("heterogeneity", () => {
  it("is 0 where all devices are alike", () => {
    const { labelDistance, sizeGini } = heterogeneityOf(
      counted([
        [2, 4],
        [2, 4],
      ]),
    );
    expect([labelDistance, sizeGini]).toEqual([0, 0]);
  });

  it("is 1 − 1/L where each of L labels is on a device of its own", () => {
    // ½ (|1 − ¼| + 3 · ¼) = ¾ on every device.
    const rows = [0, 1, 2, 3].map((main) => [0, 1, 2, 3].map((label) => (label === main ? 5 : 0)));
    expect(heterogeneityOf(counted(rows)).labelDistance).toBeCloseTo(0.75, 12);
  });

  it("weighs devices by their examples", () => {
    // p = (7/10, 3/10); 8 examples at (7/8, 1/8): 0.175; 2 at (0, 1): 0.7; 0.8 · 0.175 + 0.2 · 0.7.
    const { labelDistance, sizeGini, smallest, median, largest } = heterogeneityOf(
      counted([
        [7, 1],
        [0, 2],
      ]),
    );
    expect(labelDistance).toBeCloseTo(0.28, 12);
    // Mean difference of sizes over twice their mean: (|8 − 2| · 2 / 4) / (2 · 5).
    expect(sizeGini).toBeCloseTo(0.3, 12);
    expect([smallest, median, largest]).toEqual([2, 5, 8]);
  });

  it.each<HoldingsSpec>([
    { kind: "quantity", sigma: 1 },
    { kind: "drawn", perDevice: 600 },
  ])("of data that is dealt at random ($kind) is what chance does, on average", async (how) => {
    const blobs = await loadDataset("blobs", 1);
    const differences = Array.from({ length: 10 }, (_, seed) => {
      const held = holdExamples(blobs.train, 40, seed, how);
      const { labelDistance, labelDistanceByChance } = heterogeneityOf(countLabels(blobs, held, 40));
      return labelDistance / labelDistanceByChance;
    });
    const mean = differences.reduce((a, b) => a + b) / differences.length;
    expect(Math.abs(mean - 1)).toBeLessThan(0.05);
  });
});

describe("the mean absolute deviation of a hypergeometric number", () => {
  it("is the sum over its distribution", () => {
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
    const cases = fc
      .integer({ min: 1, max: 25 })
      .chain((total) => fc.tuple(fc.constant(total), fc.nat({ max: total }), fc.nat({ max: total })));
    fc.assert(
      fc.property(cases, ([total, marked, drawn]) => {
        let expected = 0;
        for (let x = Math.max(0, drawn + marked - total); x <= Math.min(drawn, marked); x++) {
          const probability = (choose(marked, x) * choose(total - marked, drawn - x)) / choose(total, drawn);
          expected += Math.abs(x - (drawn * marked) / total) * probability;
        }
        expect(hypergeometricDeviation(total)(marked, drawn)).toBeCloseTo(expected, 9);
      }),
    );
  });
});

describe("label counts", () => {
  it("are of some devices, evenly spaced, where the fleet is large", async () => {
    const blobs = await loadDataset("blobs", 1);
    const held = holdExamples(blobs.train, 1000, 1, { kind: "drawn", perDevice: 50 });
    const { devices, sizes, of, labels } = countLabels(blobs, held, 4);
    expect([...devices]).toEqual([0, 250, 500, 750]);
    expect([...sizes]).toEqual([50, 50, 50, 50]);
    expect(of.length).toBe(4 * labels.length);
    const third = held.examples(500);
    expect(of[2 * 10 + 7]).toBe(third.filter((index) => blobs.train.labels[index] === 7).length);
  });

  it("of targets are by tenths of their order", async () => {
    const train = {
      values: new Float32Array(20),
      scale: 1,
      labels: Float32Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 20 - i : 99)),
      count: 20,
      inputShape: [1],
    };
    const dataset = {
      name: "t",
      labels: "targets",
      outputs: 2,
      inputShape: [1],
      train,
      test: train,
      sha256: "",
    } as const;
    const held = holdExamples(train, 2, 1, { kind: "iid" });
    const { labels, of } = countLabels(dataset, held, 2);
    expect(labels).toHaveLength(10);
    for (let tenth = 0; tenth < 10; tenth++) expect(of[tenth] + of[10 + tenth]).toBe(2);
  });
});
