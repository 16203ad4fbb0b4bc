import type { ModelDefinition } from "./model-definition.ts";

/** What a model can be fitted to: one example's shape, and what its label is. */
export interface DatasetShape {
  /** Shape of one input, without the batch dimension. */
  readonly inputShape: readonly number[];
  /** A class index below `outputs`, or `outputs` real targets. */
  readonly labels: "classes" | "targets";
  readonly outputs: number;
}

/** A model whose width depends on the data, by the name a configuration uses. */
export interface ModelFamily {
  readonly name: string;
  readonly title: string;
  define(dataset: DatasetShape): ModelDefinition;
}
