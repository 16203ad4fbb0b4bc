import { generateBlobs } from "./blobs.ts";
import type { Dataset } from "./dataset.ts";
import { loadMnist } from "./mnist.ts";

export { type Dataset, shareDataset } from "./dataset.ts";
export { allExamples, type ExampleBuffers, type ExampleSet, exampleBuffers, gatherExamples } from "./example-set.ts";

/** Every dataset by name. Adding one is one file and one line here. The seed matters only to synthetic ones. */
const DATASETS = {
  mnist: () => loadMnist(),
  blobs: async (seed) => generateBlobs(seed),
} as const satisfies Record<string, (seed: number) => Promise<Dataset>>;

export type DatasetName = keyof typeof DATASETS;

export function isDatasetName(name: string): name is DatasetName {
  return Object.hasOwn(DATASETS, name);
}

/** @throws {MurmurError} `dataset-invalid` when its files are missing or damaged. */
export function loadDataset(name: DatasetName, seed: number): Promise<Dataset> {
  return DATASETS[name](seed);
}
