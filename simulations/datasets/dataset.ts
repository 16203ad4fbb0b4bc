import { createHash } from "node:crypto";
import type { Examples } from "../../shared/learning/examples.ts";

/** Labelled images as they are stored: one byte a pixel, scaled only when they are gathered. */
export interface ImageSet {
  /** count × (product of inputShape) grey or colour levels, row by row. */
  readonly pixels: Uint8Array;
  /** count class indices, below the dataset's `classes`. */
  readonly labels: Uint8Array;
  readonly count: number;
  /** Shape of one image, channels last: [28, 28, 1]. */
  readonly inputShape: readonly number[];
}

export interface Dataset {
  readonly name: string;
  readonly classes: number;
  readonly inputShape: readonly number[];
  /** What is dealt to devices. */
  readonly train: ImageSet;
  /** Public: the coordinator may evaluate on it. */
  readonly test: ImageSet;
  /** Hash of the content, hexadecimal, for the run's stamp ({@link datasetHash}). */
  readonly sha256: string;
}

/** Pixel levels on the interval [0, 1]. */
const SCALED = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/**
 * The images at `indices`, in that order, pixels scaled to [0, 1].
 * @throws {RangeError} for an index that is not in the set.
 */
export function gatherExamples(set: ImageSet, indices: ArrayLike<number>): Examples {
  const size = imageSize(set);
  const inputs = new Float32Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i];
    if (!Number.isInteger(index) || index < 0 || index >= set.count) {
      throw new RangeError(`no image ${index} in a set of ${set.count}`);
    }
    scaleInto(inputs, i * size, set.pixels, index * size, size);
    labels[i] = set.labels[index];
  }
  return { inputs, labels, inputShape: set.inputShape, count: indices.length };
}

/** Every image of the set, in its order. */
export function allExamples(set: ImageSet): Examples {
  const inputs = new Float32Array(set.pixels.length);
  scaleInto(inputs, 0, set.pixels, 0, set.pixels.length);
  return { inputs, labels: Int32Array.from(set.labels), inputShape: set.inputShape, count: set.count };
}

/** SHA-256, hexadecimal, of the training pixels, training labels, test pixels and test labels, in that order. */
export function datasetHash(train: ImageSet, test: ImageSet): string {
  const hash = createHash("sha256");
  for (const set of [train, test]) hash.update(set.pixels).update(set.labels);
  return hash.digest("hex");
}

function imageSize(set: ImageSet): number {
  return set.inputShape.reduce((product, length) => product * length, 1);
}

function scaleInto(target: Float32Array, at: number, source: Uint8Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) target[at + i] = SCALED[source[from + i]];
}
