import type { DatasetSpec } from "../datasets/index.ts";
import { MODULE_PATH, type ModuleRole } from "../own-module.ts";
import type { RunConfig } from "./config.ts";

/** The configuration with every path that it names made absolute: it is written elsewhere, and must still find them. */
export function withAbsolutePaths(config: RunConfig, absolute: (path: string) => string): RunConfig {
  const { task, algorithm, secagg } = config;
  return {
    ...config,
    task: {
      ...task,
      dataset: absoluteDataset(task.dataset, absolute),
      model: MODULE_PATH.test(task.model) ? absolute(task.model) : task.model,
    },
    algorithm: algorithm.kind === "module" ? { ...algorithm, path: absolute(algorithm.path) } : algorithm,
    secagg: secagg.authority === undefined ? secagg : { ...secagg, authority: absolute(secagg.authority) },
  };
}

function absoluteDataset(
  dataset: RunConfig["task"]["dataset"],
  absolute: (path: string) => string,
): RunConfig["task"]["dataset"] & DatasetSpec {
  if (typeof dataset === "string") return dataset;
  switch (dataset.kind) {
    case "fashion-mnist":
    case "idx":
      return { ...dataset, folder: absolute(dataset.folder) };
    case "csv":
      return {
        ...dataset,
        file: absolute(dataset.file),
        ...(dataset.testFile === undefined ? {} : { testFile: absolute(dataset.testFile) }),
      };
    case "text":
      return { ...dataset, file: absolute(dataset.file) };
    case "module":
      return { ...dataset, path: absolute(dataset.path) };
  }
}

/** The modules of one's own that a configuration names. */
export function ownModules({
  task,
  algorithm,
}: RunConfig): readonly { readonly role: ModuleRole; readonly path: string }[] {
  const { model, dataset } = task;
  return [
    ...(algorithm.kind === "module" ? [{ role: "algorithm" as const, path: algorithm.path }] : []),
    ...(MODULE_PATH.test(model) ? [{ role: "model" as const, path: model }] : []),
    ...(typeof dataset === "object" && dataset.kind === "module"
      ? [{ role: "dataset" as const, path: dataset.path }]
      : []),
  ];
}
