import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gatherExamples, loadDataset } from "../../../simulations/datasets/index.ts";
import { folderWith } from "./dataset-folder.ts";

const header = (...lengths: number[]) => [0, 0, 8, lengths.length, ...lengths.flatMap((length) => [0, 0, 0, length])];
const images = Uint8Array.from([...header(3, 1, 2), 0, 51, 102, 153, 204, 255]);
const labels = Uint8Array.from([...header(3), 0, 2, 1]);

const FILES = {
  "train-images-idx3-ubyte": images,
  "train-labels-idx1-ubyte": labels,
  "t10k-images-idx3-ubyte": images,
  "t10k-labels-idx1-ubyte": labels,
};

describe("a folder of idx files", () => {
  it("is a dataset, whether its files are packed or not", async () => {
    const { "train-images-idx3-ubyte": _, ...rest } = FILES;
    const packed = folderWith({ ...rest, "train-images-idx3-ubyte.gz": gzipSync(images) });
    const dataset = await loadDataset({ kind: "idx", folder: packed }, 0);
    expect(dataset).toMatchObject({ labels: "classes", outputs: 3, inputShape: [1, 2, 1] });
    expect([...gatherExamples(dataset.train, [1]).inputs]).toEqual([Math.fround(0.4), Math.fround(0.6)]);
    expect(dataset.sha256).toBe((await loadDataset({ kind: "idx", folder: folderWith(FILES) }, 0)).sha256);
    expect((await loadDataset({ kind: "idx", folder: packed, classes: 5 }, 0)).outputs).toBe(5);
  });

  it("may hold images with channels", async () => {
    const colour = Uint8Array.from([...header(2, 1, 1, 3), 1, 2, 3, 4, 5, 6]);
    const two = Uint8Array.from([...header(2), 0, 1]);
    const folder = folderWith({
      "train-images-idx3-ubyte": colour,
      "train-labels-idx1-ubyte": two,
      "t10k-images-idx3-ubyte": colour,
      "t10k-labels-idx1-ubyte": two,
    });
    expect((await loadDataset({ kind: "idx", folder }, 0)).inputShape).toEqual([1, 1, 3]);
  });

  it("is refused with the file that is missing, damaged or of another shape", async () => {
    const load = (files: Record<string, Uint8Array>) => loadDataset({ kind: "idx", folder: folderWith(files) }, 0);
    await expect(load({})).rejects.toMatchObject({
      name: "dataset-invalid",
      message: expect.stringContaining("train-images-idx3-ubyte is not there"),
      hint: expect.stringContaining("t10k-labels-idx1-ubyte"),
    });
    const { "t10k-labels-idx1-ubyte": _, ...rest } = FILES;
    const cutOff = gzipSync(labels).subarray(0, 15);
    await expect(load({ ...rest, "t10k-labels-idx1-ubyte.gz": cutOff })).rejects.toThrow(/cannot be unpacked/);
    const taller = Uint8Array.from([...header(3, 2, 1), 0, 51, 102, 153, 204, 255]);
    await expect(load({ ...FILES, "t10k-images-idx3-ubyte": taller })).rejects.toThrow(/2 × 1 × 1.*1 × 2 × 1/);
  });
});

describe("Fashion-MNIST", () => {
  it("says where to get what is missing, and that a file is another", async () => {
    const folder = folderWith({});
    await expect(loadDataset({ kind: "fashion-mnist", folder }, 0)).rejects.toMatchObject({
      name: "dataset-invalid",
      message: `${join(folder, "train-images-idx3-ubyte.gz")} is not there.`,
      hint: expect.stringMatching(/curl .*https:\/\/github\.com\/zalandoresearch\/fashion-mnist\//),
    });
    const others = Object.fromEntries(Object.entries(FILES).map(([name, bytes]) => [`${name}.gz`, gzipSync(bytes)]));
    await expect(loadDataset({ kind: "fashion-mnist", folder: folderWith(others) }, 0)).rejects.toMatchObject({
      message: expect.stringContaining("not Fashion-MNIST's original file"),
      hint: expect.stringContaining("the kind idx"),
    });
  });
});
