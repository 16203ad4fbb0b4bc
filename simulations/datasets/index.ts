import { generateBlobs } from "./blobs.ts";
import { loadCharacterStreams, type TextSpec } from "./character-streams.ts";
import type { Dataset } from "./dataset.ts";
import { loadFashionMnist } from "./fashion-mnist.ts";
import { type IdxFolderSpec, loadIdxFolder } from "./idx-folder.ts";
import { loadMnist } from "./mnist.ts";
import { loadModuleDataset, type ModuleDatasetSpec } from "./module-dataset.ts";
import { loadTable, type TableSpec } from "./table.ts";

export { type Dataset, shareDataset } from "./dataset.ts";
export { allExamples, type ExampleBuffers, type ExampleSet, exampleBuffers, gatherExamples } from "./example-set.ts";

/** Every dataset that comes by its name. Adding one is one file and one line here. The seed matters only to synthetic ones. */
const DATASETS = {
  mnist: () => loadMnist(),
  blobs: async (seed) => generateBlobs(seed),
} as const satisfies Record<string, (seed: number) => Promise<Dataset>>;

export type DatasetName = keyof typeof DATASETS;

/** Data from files, as in the configuration's `task.dataset`; paths are absolute. */
export type FileDatasetSpec =
  | { readonly kind: "fashion-mnist"; readonly folder: string }
  | ({ readonly kind: "idx" } & IdxFolderSpec)
  | ({ readonly kind: "csv" } & TableSpec)
  | ({ readonly kind: "text" } & TextSpec)
  | ({ readonly kind: "module" } & ModuleDatasetSpec);

export type DatasetSpec = DatasetName | FileDatasetSpec;

export function isDatasetName(name: string): name is DatasetName {
  return Object.hasOwn(DATASETS, name);
}

/** @throws {MurmurError} `dataset-invalid` when its files are missing or damaged. */
export async function loadDataset(spec: DatasetSpec, seed: number): Promise<Dataset> {
  if (typeof spec === "string") return DATASETS[spec](seed);
  switch (spec.kind) {
    case "fashion-mnist":
      return loadFashionMnist(spec);
    case "idx":
      return loadIdxFolder(spec);
    case "csv":
      return loadTable(spec, seed);
    case "text":
      return loadCharacterStreams(spec);
    case "module":
      return loadModuleDataset(spec, seed);
  }
}
