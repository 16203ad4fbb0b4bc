import { MurmurError } from "../../shared/protocol/errors.ts";
import type { ExampleSet } from "./example-set.ts";
import type { NamedBytes } from "./files.ts";

/** A tensor of unsigned bytes in the idx format (Y. LeCun, "The MNIST database"). */
export interface IdxTensor {
  readonly shape: readonly number[];
  /** A view of the file's bytes, row by row. */
  readonly values: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;

/**
 * Reads an idx file of unsigned bytes:
 *
 *     0  0  type  dimensions | length of each dimension (4 bytes, big-endian) | values, row by row
 *
 * @param name what an error calls the file
 * @throws {MurmurError} `dataset-invalid` for another format or type, and for missing or surplus bytes.
 */
export function readIdx(bytes: Uint8Array, name: string): IdxTensor {
  if (bytes.length < 4) throw invalid(name, `holds ${bytes.length} bytes, too few for an idx header`);
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    throw invalid(name, `is no idx file: its magic number starts with ${bytes[0]}, ${bytes[1]}, not 0, 0`);
  }
  if (bytes[2] !== UNSIGNED_BYTE) throw invalid(name, `holds idx type ${bytes[2]}, not unsigned bytes (type 8)`);
  const dimensions = bytes[3];
  const header = 4 + 4 * dimensions;
  if (dimensions === 0) throw invalid(name, "has no dimensions");
  if (bytes.length < header) throw invalid(name, `is cut off inside its header of ${header} bytes`);

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const promised = shape.reduce((product, length) => product * length, 1);
  const present = bytes.length - header;
  if (present !== promised) {
    const fault = present < promised ? "is cut off" : "has surplus bytes";
    throw invalid(name, `${fault}: ${shape.join(" × ")} promises ${promised} bytes of values, there are ${present}`);
  }
  return { shape, values: bytes.subarray(header) };
}

/**
 * Joins a file of images (3 dimensions where they are grey, 4 with channels last) and its file of labels (1 dimension).
 * @throws {MurmurError} `dataset-invalid` when they have other dimensions, differ in count, or a label is not a class.
 */
export function readIdxImages(images: NamedBytes, labels: NamedBytes, classes: number): ExampleSet {
  const pixels = readIdx(images.bytes, images.name);
  const classIndices = readIdx(labels.bytes, labels.name);
  if (pixels.shape.length !== 3 && pixels.shape.length !== 4) {
    throw invalid(images.name, `has ${pixels.shape.length} dimensions, images have 3 or 4`);
  }
  if (classIndices.shape.length !== 1) {
    throw invalid(labels.name, `has ${classIndices.shape.length} dimensions, labels have 1`);
  }
  const [count, height, width, channels = 1] = pixels.shape;
  if (classIndices.shape[0] !== count) {
    throw invalid(labels.name, `holds ${classIndices.shape[0]} labels for the ${count} images of ${images.name}`);
  }
  const wrong = classIndices.values.find((label) => label >= classes);
  if (wrong !== undefined) throw invalid(labels.name, `holds label ${wrong}; the classes are 0 to ${classes - 1}`);
  return {
    values: pixels.values,
    scale: 1 / 255,
    labels: classIndices.values,
    count,
    inputShape: [height, width, channels],
  };
}

function invalid(name: string, fault: string): MurmurError {
  return new MurmurError("dataset-invalid", `${name} ${fault}.`, {
    hint: "Get the file again, or write it in the idx format: unsigned bytes, lengths big-endian.",
  });
}
