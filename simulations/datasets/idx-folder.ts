import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import type { ExampleSet } from "./example-set.ts";
import { type NamedBytes, readDatasetFile } from "./files.ts";
import { readIdxImages } from "./idx.ts";

/** The four files of a set of images, as MNIST's are called; each may be packed, with .gz after its name. */
export const IDX_FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
] as const;

export type IdxFile = (typeof IDX_FILES)[number];

export interface IdxFolderSpec {
  readonly folder: string;
  /** Absent: one more than the largest label. */
  readonly classes?: number;
}

/**
 * Images of one's own in the idx format, in MNIST's four files: n × height × width grey levels, or n × height × width ×
 * channels, and n labels.
 * @throws {MurmurError} `dataset-invalid`
 */
export async function loadIdxFolder({ folder, classes }: IdxFolderSpec): Promise<Dataset> {
  const hint = `A folder of idx files holds ${IDX_FILES.join(", ")}, each as it is or packed as .gz.`;
  const files: NamedBytes[] = [];
  // One after another: of several that are missing, the first is the one that is named.
  for (const name of IDX_FILES) files.push(unpacked(await readIdxFile(folder, name, hint)));
  return imageDataset(basename(folder), files, classes);
}

/** The train images, train labels, test images and test labels, in that order, as a dataset. */
export function imageDataset(name: string, files: readonly NamedBytes[], classes?: number): Dataset {
  const most = classes ?? 256;
  const train = readIdxImages(files[0], files[1], most);
  const test = readIdxImages(files[2], files[3], most);
  if (train.inputShape.join() !== test.inputShape.join()) {
    const [trained, tested] = [train, test].map(({ inputShape }) => inputShape.join(" × "));
    throw new MurmurError(
      "dataset-invalid",
      `${files[2].name} holds images of ${tested}, ${files[0].name} of ${trained}.`,
      {
        hint: "Training and test images must have one shape.",
      },
    );
  }
  return {
    name,
    labels: "classes",
    outputs: classes ?? 1 + Math.max(largestLabel(train), largestLabel(test)),
    inputShape: train.inputShape,
    train,
    test,
    sha256: datasetHash(train, test),
  };
}

/** The file, or else the file packed. */
function readIdxFile(folder: string, name: IdxFile, hint: string): Promise<NamedBytes> {
  const path = join(folder, name);
  return readDatasetFile(!existsSync(path) && existsSync(`${path}.gz`) ? `${path}.gz` : path, hint);
}

/** @throws {MurmurError} `dataset-invalid` for a damaged .gz. */
export function unpacked({ bytes, name }: NamedBytes): NamedBytes {
  if (!name.endsWith(".gz")) return { bytes, name };
  try {
    return { bytes: gunzipSync(bytes), name };
  } catch (cause) {
    throw new MurmurError("dataset-invalid", `${name} cannot be unpacked: ${(cause as Error).message}.`, {
      cause,
      hint: "Download it again: it is damaged or was cut off.",
    });
  }
}

function largestLabel({ labels }: ExampleSet): number {
  let largest = 0;
  for (const label of labels) largest = Math.max(largest, label);
  return largest;
}
