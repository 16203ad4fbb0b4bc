import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { datasetHash } from "../../../simulations/datasets/dataset.ts";
import {
  allExamples,
  type Dataset,
  type ExampleSet,
  exampleBuffers,
  gatherExamples,
  loadDataset,
  shareDataset,
} from "../../../simulations/datasets/index.ts";
import { loadMnist } from "../../../simulations/datasets/mnist.ts";
import { partitionExamples } from "../../../simulations/datasets/partitions/index.ts";

describe("MNIST", () => {
  let mnist: Dataset;
  beforeAll(async () => {
    mnist = await loadDataset("mnist", 0);
  });

  it("has its published size, shape and class counts", () => {
    expect([mnist.train.count, mnist.test.count]).toEqual([60_000, 10_000]);
    expect(mnist).toMatchObject({ labels: "classes", outputs: 10 });
    expect(mnist.inputShape).toEqual([28, 28, 1]);
    const counts = new Array<number>(10).fill(0);
    for (const label of mnist.train.labels) counts[label]++;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect([...mnist.train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  });

  it("has the training set's well-known mean 0.1307 and deviation 0.3081 once scaled", () => {
    let sum = 0;
    let squares = 0;
    for (const level of mnist.train.values) {
      sum += level;
      squares += level * level;
    }
    const mean = sum / mnist.train.values.length / 255;
    expect(mean).toBeCloseTo(0.1307, 4);
    expect(Math.sqrt(squares / mnist.train.values.length / 255 ** 2 - mean ** 2)).toBeCloseTo(0.3081, 4);
  });

  it("is dealt into 200 shards of 300, two a device, as McMahan et al. describe", () => {
    const parts = partitionExamples(mnist.train, 100, seededRandom(42, "partition"), {
      kind: "shards",
      perDevice: 2,
    });
    expect(parts.every((part) => part.length === 600)).toBe(true);
    expect(new Set(parts.flatMap((part) => [...part])).size).toBe(60_000);
    // A shard of 300 spans at most two digits, since every digit has more than 5,000 examples.
    const digits = parts.map((part) => new Set(Array.from(part, (index) => mnist.train.labels[index])).size);
    expect(Math.max(...digits)).toBeLessThanOrEqual(4);
    expect(digits.filter((count) => count <= 2).length).toBeGreaterThan(80);
  });

  it("is refused when its files are missing or altered", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mnist-"));
    try {
      await expect(loadMnist(folder)).rejects.toMatchObject({ name: "dataset-invalid" });
      for (const part of ["train", "t10k"]) {
        await writeFile(join(folder, `${part}-images-idx3-ubyte`), Uint8Array.of(0, 0, 8, 3));
        await writeFile(join(folder, `${part}-labels-idx1-ubyte`), Uint8Array.of(0, 0, 8, 1));
      }
      await expect(loadMnist(folder)).rejects.toThrow(/not MNIST's original file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("gathering", () => {
  const images: ExampleSet = {
    values: Uint8Array.of(0, 51, 255, 102, 204, 153),
    scale: 1 / 255,
    labels: Uint8Array.of(7, 8, 9),
    count: 3,
    inputShape: [1, 2, 1],
  };

  it("scales pixels to [0, 1] and keeps the order asked for", () => {
    const examples = gatherExamples(images, [2, 0, 2]);
    expect([...examples.inputs]).toEqual([0.8, 0.6, 0, 0.2, 0.8, 0.6].map(Math.fround));
    expect(examples.labels).toEqual(Int32Array.of(9, 7, 9));
    expect(examples).toMatchObject({ count: 3, inputShape: [1, 2, 1] });
    expect(allExamples(images)).toEqual(gatherExamples(images, [0, 1, 2]));
    expect(gatherExamples(images, []).count).toBe(0);
  });

  it("feeds each of the 256 levels as the float nearest to level / 255", () => {
    const values = Uint8Array.from({ length: 256 }, (_, level) => level);
    const levels = { values, scale: 1 / 255, labels: Uint8Array.of(0), count: 1, inputShape: [256] };
    expect([...gatherExamples(levels, [0]).inputs]).toEqual([...values].map((level) => Math.fround(level / 255)));
  });

  it("follows rows that overlap, and takes several targets an example", () => {
    const windows: ExampleSet = {
      values: Float32Array.of(1, 2, 3, 4),
      scale: 2,
      rows: Int32Array.of(0, 1, 2),
      labels: Float32Array.of(0.5, 1.5, 2.5, 3.5, 4.5, 5.5),
      count: 3,
      inputShape: [2],
    };
    const examples = gatherExamples(windows, [2, 1]);
    expect([...examples.inputs]).toEqual([6, 8, 4, 6]);
    expect(examples.labels).toEqual(Float32Array.of(4.5, 5.5, 2.5, 3.5));
  });

  it("gives the same wherever the bytes lie, and whatever was in the buffers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat({ max: 5 }), fc.gen(), (size, offset, gen) => {
        const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
        const stored = gen(fc.array, byte, { minLength: 4 * size, maxLength: 4 * size });
        const values = new Uint8Array(offset + 4 * size).subarray(offset);
        values.set(stored);
        const set = { values, scale: 1 / 255, labels: new Uint8Array(4), count: 4, inputShape: [size] };
        const indices = [3, 0, 3, 1];
        const buffers = exampleBuffers(set, 4);
        buffers.inputs.fill(7);
        const expected = indices.flatMap((index) => stored.slice(index * size, (index + 1) * size));
        expect([...gatherExamples(set, indices, buffers).inputs]).toEqual(
          expected.map((level) => Math.fround(level / 255)),
        );
      }),
    );
  });

  it("fills buffers that are used again, and refuses more than they hold", () => {
    const buffers = exampleBuffers(images, 2);
    const both = gatherExamples(images, [1, 2], buffers);
    expect(both).toEqual(gatherExamples(images, [1, 2]));
    const one = gatherExamples(images, [0], buffers);
    expect(one).toEqual(gatherExamples(images, [0]));
    expect(one.inputs.buffer).toBe(both.inputs.buffer);
    expect(() => gatherExamples(images, [0, 1, 2], buffers)).toThrow(RangeError);
  });

  it("refuses an index outside the set", () => {
    for (const index of [-1, 3, 0.5, Number.NaN]) expect(() => gatherExamples(images, [index])).toThrow(RangeError);
  });
});

describe("a shared dataset", () => {
  it("is the same to read, and a thread that it is sent to has the same memory", async () => {
    const blobs = await loadDataset("blobs", 1);
    const rows = Int32Array.from({ length: blobs.train.count }, (_, i) => 784 * i);
    const train = { ...blobs.train, rows, keys: rows.slice(), labels: Float32Array.from(blobs.train.labels) };
    const shared = shareDataset({ ...blobs, train });
    expect(datasetHash(shared.train, shared.test)).toBe(datasetHash(train, blobs.test));
    const elsewhere = structuredClone(shared);
    expect(gatherExamples(elsewhere.train, [5, 0])).toEqual(gatherExamples(train, [5, 0]));
    for (const name of ["values", "labels", "rows", "keys"] as const) {
      shared.train[name]![3] = 99;
      expect(elsewhere.train[name]![3]).toBe(99);
    }
    expect(shareDataset(shared).train.values).toBe(shared.train.values);
    expect(train.values[3]).not.toBe(99);
  });
});

describe("blobs", () => {
  it("comes out of the seed alone", async () => {
    const once = await loadDataset("blobs", 1);
    expect((await loadDataset("blobs", 1)).sha256).toBe(once.sha256);
    expect((await loadDataset("blobs", 2)).sha256).not.toBe(once.sha256);
    expect([once.train.count, once.test.count, once.inputShape]).toEqual([2000, 500, [28, 28, 1]]);
  });

  it("can be learnt: the nearest class mean gets most of the test set right, whatever the seed", async () => {
    for (let seed = 0; seed < 3; seed++) {
      const { train, test, outputs } = await loadDataset("blobs", seed);
      const means = Array.from({ length: outputs }, () => new Float64Array(784));
      train.labels.forEach((label, i) => {
        for (let p = 0; p < 784; p++) means[label][p] += train.values[784 * i + p] / (train.count / means.length);
      });
      let hits = 0;
      test.labels.forEach((label, i) => {
        const distances = means.map((mean) => mean.reduce((sum, m, p) => sum + (m - test.values[784 * i + p]) ** 2, 0));
        if (distances.indexOf(Math.min(...distances)) === label) hits++;
      });
      expect(hits / test.count).toBeGreaterThan(0.95);
    }
  });
});
