import { MurmurError } from "../../protocol/errors.ts";
import { cnn } from "./cnn.ts";
import { checkFit } from "./dataset-fit.ts";
import { linearRegression, logisticRegression } from "./linear.ts";
import { lstm } from "./lstm.ts";
import { mobileCnn } from "./mobile-cnn.ts";
import type { ModelDefinition } from "./model-definition.ts";
import type { DatasetShape, ModelFamily } from "./model-family.ts";
import { softmaxRegression } from "./softmax-regression.ts";
import { twoNN } from "./two-nn.ts";

/** The models of a fixed shape that come with the program, by the name a configuration uses. Add a line here to add one. */
export const MODELS: ReadonlyMap<string, ModelDefinition> = new Map(
  [softmaxRegression, twoNN, cnn, mobileCnn, lstm].map((definition) => [definition.name, definition]),
);

/** The models that are as wide as the data, likewise. */
export const MODEL_FAMILIES: ReadonlyMap<string, ModelFamily> = new Map(
  [logisticRegression, linearRegression].map((family) => [family.name, family]),
);

/**
 * The model of this name for this dataset.
 *
 * @throws {MurmurError} model-unknown; model-data-mismatch when the model does not take the dataset's examples.
 */
export function modelFor(name: string, dataset: DatasetShape): ModelDefinition {
  const definition = MODELS.get(name) ?? MODEL_FAMILIES.get(name)?.define(dataset);
  if (definition === undefined) {
    const known = [...MODELS.keys(), ...MODEL_FAMILIES.keys()].join(", ");
    throw new MurmurError("model-unknown", `There is no model "${name}"; there are ${known}.`);
  }
  checkFit(definition, dataset);
  return definition;
}

export type { Loss, ModelDefinition } from "./model-definition.ts";
export type { DatasetShape, ModelFamily } from "./model-family.ts";
