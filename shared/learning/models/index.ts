import { cnn } from "./cnn.ts";
import type { ModelDefinition } from "./model-definition.ts";
import { softmaxRegression } from "./softmax-regression.ts";
import { twoNN } from "./two-nn.ts";

/** The models that come with the program, by the name a configuration uses. Add a line here to add one. */
export const MODELS: ReadonlyMap<string, ModelDefinition> = new Map(
  [softmaxRegression, twoNN, cnn].map((definition) => [definition.name, definition]),
);

export type { ModelDefinition } from "./model-definition.ts";
