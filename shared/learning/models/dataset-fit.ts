import { MurmurError } from "../../protocol/errors.ts";
import type { ModelDefinition } from "./model-definition.ts";
import type { DatasetShape } from "./model-family.ts";

/**
 * Refuses data that a model does not take. An input of another shape with as many values is taken, since examples are
 * stored flat: 28 × 28 pixels are 784 columns. A model may have classes that no example has.
 *
 * @throws {MurmurError} model-data-mismatch.
 */
export function checkFit(definition: ModelDefinition, dataset: DatasetShape): void {
  const { name, inputShape, outputs } = definition;
  const labels = definition.loss === "softmaxCrossEntropy" ? "classes" : "targets";
  if (labels !== dataset.labels) {
    throw mismatch(`The model "${name}" learns ${labels}, the dataset's labels are ${dataset.labels}.`);
  }
  if (sizeOf(inputShape) !== sizeOf(dataset.inputShape)) {
    const [wanted, given] = [inputShape, dataset.inputShape].map((shape) => shape.join(" × "));
    throw mismatch(`The model "${name}" takes ${wanted} values an example, the dataset has ${given}.`);
  }
  const fits = labels === "classes" ? dataset.outputs <= outputs : dataset.outputs === outputs;
  if (!fits) throw mismatch(`The model "${name}" has ${outputs} ${labels}, the dataset ${dataset.outputs}.`);
}

function mismatch(message: string): MurmurError {
  return new MurmurError("model-data-mismatch", message);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
