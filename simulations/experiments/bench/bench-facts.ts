import { parameterManifestFor } from "../../../shared/learning/models/model-parameters.ts";
import { loadDataset } from "../../datasets/index.ts";
import { loadModel } from "../../load-model.ts";
import type { Cell } from "./bench-grid.ts";

/** What is the same in all cells of a benchmark. */
export interface BenchFacts {
  /** Of the model. */
  readonly parameters: number;
  readonly testExamples: number;
  /** What labels are called; empty where numbers are predicted. */
  readonly classes: readonly string[];
  /** On a device of the cell's fleet, on average. */
  examplesPerDevice(cell: Pick<Cell, "config">): number;
}

export async function benchFacts({ config }: Pick<Cell, "config">): Promise<BenchFacts> {
  const dataset = await loadDataset(config.task.dataset, config.seed);
  const model = await loadModel(config.task.model, dataset);
  const { train, test, outputs } = dataset;
  return {
    parameters: parameterManifestFor(model).size,
    testExamples: test.count,
    classes: test.labels instanceof Float32Array ? [] : Array.from({ length: outputs }, (_, label) => String(label)),
    examplesPerDevice: ({ config: { task, fleet } }) =>
      task.partition.kind === "drawn" ? task.partition.perDevice : train.count / fleet.devices,
  };
}
