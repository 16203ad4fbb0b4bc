import { createHash } from "node:crypto";
import type { DatasetShape } from "../../shared/learning/models/model-family.ts";
import type { ExampleSet } from "./example-set.ts";

/** Data without code: a structured clone of it is the whole of it. */
export interface Dataset extends DatasetShape {
  readonly name: string;
  /** What is dealt to devices. */
  readonly train: ExampleSet;
  /** Public: the coordinator may evaluate on it. */
  readonly test: ExampleSet;
  /** Whose the examples are, where they have natural owners: what the sets' `keys` point into. */
  readonly keyNames?: readonly string[];
  /** What each class is called, where it has a name. */
  readonly classNames?: readonly string[];
  /** Hash of the content, hexadecimal, for the run's stamp ({@link datasetHash}). */
  readonly sha256: string;
}

/**
 * SHA-256, hexadecimal, of the training values, training labels, test values and test labels, in that order; of each
 * set's rows and keys too, after its labels, where it has them.
 */
export function datasetHash(train: ExampleSet, test: ExampleSet): string {
  const hash = createHash("sha256");
  for (const { values, labels, rows, keys } of [train, test]) {
    for (const array of [values, labels, rows, keys]) {
      if (array !== undefined) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    }
  }
  return hash.digest("hex");
}

/** The same dataset with its arrays in SharedArrayBuffers: sent to worker threads, they are not copied. */
export function shareDataset(dataset: Dataset): Dataset {
  return { ...dataset, train: shareExamples(dataset.train), test: shareExamples(dataset.test) };
}

function shareExamples(set: ExampleSet): ExampleSet {
  const { values, labels, rows, keys } = set;
  return {
    ...set,
    values: values instanceof Uint8Array ? sharedBytes(values) : sharedFloats(values),
    labels:
      labels instanceof Uint8Array
        ? sharedBytes(labels)
        : labels instanceof Int32Array
          ? sharedIntegers(labels)
          : sharedFloats(labels),
    ...(rows === undefined ? {} : { rows: sharedIntegers(rows) }),
    ...(keys === undefined ? {} : { keys: sharedIntegers(keys) }),
  };
}

function sharedBytes(array: Uint8Array): Uint8Array {
  return isShared(array) ? array : copied(array, new Uint8Array(new SharedArrayBuffer(array.byteLength)));
}

function sharedIntegers(array: Int32Array): Int32Array {
  return isShared(array) ? array : copied(array, new Int32Array(new SharedArrayBuffer(array.byteLength)));
}

function sharedFloats(array: Float32Array): Float32Array {
  return isShared(array) ? array : copied(array, new Float32Array(new SharedArrayBuffer(array.byteLength)));
}

function isShared({ buffer }: Uint8Array | Int32Array | Float32Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

function copied<T extends Uint8Array | Int32Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
