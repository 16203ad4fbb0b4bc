import { describe, expect, it } from "vitest";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { readIdx, readIdxImages } from "../../../simulations/datasets/idx.ts";

function idx(shape: readonly number[], values: readonly number[], type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  bytes.set([0, 0, type, shape.length]);
  shape.forEach((length, i) => {
    new DataView(bytes.buffer).setUint32(4 + 4 * i, length);
  });
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(MurmurError);
    expect((error as MurmurError).name).toBe("dataset-invalid");
    return (error as MurmurError).message;
  }
  throw new Error("nothing was refused");
}

describe("an idx file", () => {
  it("gives its shape and values, also from the middle of a buffer", () => {
    const file = idx([2, 3], [1, 2, 3, 4, 5, 255]);
    expect(readIdx(file, "f")).toEqual({ shape: [2, 3], values: Uint8Array.of(1, 2, 3, 4, 5, 255) });
    const shifted = new Uint8Array(file.length + 5);
    shifted.set(file, 3);
    expect(readIdx(shifted.subarray(3, 3 + file.length), "f")).toEqual(readIdx(file, "f"));
  });

  it("is refused with what is wrong with it", () => {
    const good = idx([2, 3], [1, 2, 3, 4, 5, 6]);
    expect(messageOf(() => readIdx(Uint8Array.of(0, 0), "f"))).toContain("2 bytes, too few");
    expect(messageOf(() => readIdx(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), "f"))).toContain("no idx file");
    expect(messageOf(() => readIdx(idx([1], [1], 13), "f"))).toContain("type 13");
    expect(messageOf(() => readIdx(idx([], []), "f"))).toContain("no dimensions");
    expect(messageOf(() => readIdx(good.subarray(0, 9), "f"))).toContain("inside its header");
    expect(messageOf(() => readIdx(good.subarray(0, good.length - 1), "f"))).toContain("cut off: 2 × 3 promises 6");
    expect(messageOf(() => readIdx(idx([2, 3], [1, 2, 3, 4, 5, 6, 7]), "f"))).toContain("surplus");
    expect(messageOf(() => readIdx(idx([0xffffffff, 0xffffffff], [1]), "f"))).toContain("cut off");
  });
});

describe("images and labels", () => {
  const images = { bytes: idx([2, 1, 2], [10, 20, 30, 40]), name: "images" };

  it("are joined", () => {
    expect(readIdxImages(images, { bytes: idx([2], [0, 9]), name: "labels" }, 10)).toEqual({
      values: Uint8Array.of(10, 20, 30, 40),
      scale: 1 / 255,
      labels: Uint8Array.of(0, 9),
      count: 2,
      inputShape: [1, 2, 1],
    });
  });

  it("must fit each other and the classes", () => {
    const labels = (values: number[]) => ({ bytes: idx([values.length], values), name: "labels" });
    expect(messageOf(() => readIdxImages(images, labels([1, 2, 3]), 10))).toContain("3 labels for the 2 images");
    expect(messageOf(() => readIdxImages(images, labels([1, 10]), 10))).toContain("label 10");
    expect(messageOf(() => readIdxImages(labels([1, 2]), labels([1, 2]), 10))).toContain("images have 3");
    expect(messageOf(() => readIdxImages(images, images, 10))).toContain("labels have 1");
  });
});
