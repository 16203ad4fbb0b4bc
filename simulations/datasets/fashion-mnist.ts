import { join } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { Dataset } from "./dataset.ts";
import { type NamedBytes, readDatasetFile, sha256 } from "./files.ts";
import { IDX_FILES, type IdxFile, imageDataset, unpacked } from "./idx-folder.ts";

/** SHA-256 of the packed files as Zalando Research publishes them; another content is another dataset. */
const ORIGINALS: Readonly<Record<IdxFile, string>> = {
  "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
  "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
  "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
  "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
};

const SOURCE = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion";

const CLASS_NAMES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/**
 * Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747): 60,000 training and 10,000 test images of clothes, 28 ×
 * 28 grey levels, in ten classes; from a folder with the four .gz files.
 * @throws {MurmurError} `dataset-invalid`, with where to get it, when a file is missing or is not the original.
 */
export async function loadFashionMnist({ folder }: { readonly folder: string }): Promise<Dataset> {
  const files: NamedBytes[] = [];
  // One after another: of several that are missing, the first is the one that is named.
  for (const name of IDX_FILES) {
    const file = await readDatasetFile(join(folder, `${name}.gz`), howToGet(folder));
    if (sha256(file.bytes) !== ORIGINALS[name]) {
      throw new MurmurError(
        "dataset-invalid",
        `${file.name} is not Fashion-MNIST's original file: its SHA-256 differs.`,
        {
          hint: `${howToGet(folder)} Other files in this format are a dataset of the kind idx.`,
        },
      );
    }
    files.push(unpacked(file));
  }
  return { ...imageDataset("fashion-mnist", files, CLASS_NAMES.length), classNames: CLASS_NAMES };
}

function howToGet(folder: string): string {
  const names = IDX_FILES.map((name) => name.replace("-ubyte", "")).join(",");
  return `Get the four files (31 MB): curl -fL --create-dirs --output-dir '${folder}' --remote-name-all '${SOURCE}/{${names}}-ubyte.gz'.`;
}
