import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { holdExamples } from "../../../simulations/datasets/partitions/holdings.ts";
import { partitionExamples } from "../../../simulations/datasets/partitions/index.ts";

const examples = { labels: Int32Array.from({ length: 100 }, (_, i) => i % 10), count: 100 };

describe("examples that are dealt", () => {
  it("are those of the partition", () => {
    const held = holdExamples(examples, 7, 3, { kind: "shards", perDevice: 2 });
    const parts = partitionExamples(examples, 7, seededRandom(3, "partition"), { kind: "shards", perDevice: 2 });
    expect(Array.from({ length: 7 }, (_, device) => held.examples(device))).toEqual(parts);
    expect(held.size(3)).toBe(parts[3].length);
    expect(held.largest).toBe(Math.max(...parts.map((part) => part.length)));
  });
});

describe("examples that devices draw", () => {
  const held = holdExamples(examples, 1_000_000, 3, { kind: "drawn", perDevice: 30 });

  it("are distinct on a device, others on another, and the same whenever they are asked for", () => {
    const some = held.examples(999_999);
    expect(new Set(some).size).toBe(30);
    expect(Math.min(...some)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...some)).toBeLessThan(100);
    expect(held.examples(999_999)).toEqual(some);
    expect(held.examples(999_998)).not.toEqual(some);
  });

  it("are all there are where a device wants more", () => {
    const all = holdExamples(examples, 2, 3, { kind: "drawn", perDevice: 600 });
    expect(all.largest).toBe(100);
    expect([...all.examples(1)].sort((a, b) => a - b)).toEqual([...examples.labels.keys()]);
  });
});
