import { basename } from "node:path";
import type { Dataset, DatasetSpec } from "./index.ts";

/**
 * What devices are told of a dataset: its name; or, for one from files, its kind and the hash of its content. Never a
 * path: whoever coordinates has no say in which files a device reads.
 */
export function datasetReference(spec: DatasetSpec, { sha256 }: Pick<Dataset, "sha256">): string {
  return typeof spec === "string" ? spec : `${spec.kind}:${sha256}`;
}

/** A dataset in a word or two, for people. */
export function datasetTitle(spec: DatasetSpec): string {
  if (typeof spec === "string") return spec;
  switch (spec.kind) {
    case "fashion-mnist":
      return spec.kind;
    case "idx":
      return `${spec.kind} ${basename(spec.folder)}`;
    case "csv":
    case "text":
      return `${spec.kind} ${basename(spec.file)}`;
    case "module":
      return `${spec.kind} ${basename(spec.path)}`;
  }
}
