import type { Examples } from "../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import type { ParameterManifest, ParameterVector } from "../../shared/learning/parameters.ts";
import type { TrainingTask } from "./trainer.ts";

/** Refuses parameters and examples that do not fit the model, by name and number, before an engine sees them. */
export function checkParameters(
  { name, inputShape, classes }: ModelDefinition,
  { size }: ParameterManifest,
  parameters: ParameterVector,
  { inputs, labels, count }: Examples,
): void {
  if (parameters.length !== size) {
    throw new RangeError(`Model "${name}" has ${size} parameters, the vector has ${parameters.length}.`);
  }
  const width = inputShape.reduce((product, length) => product * length, 1);
  if (inputs.length !== count * width || labels.length !== count) {
    throw new RangeError(
      `Model "${name}" takes ${width} values an example: ${count} examples have ${inputs.length} values and ${labels.length} labels.`,
    );
  }
  const stray = labels.find((label) => label < 0 || label >= classes);
  if (stray !== undefined) throw new RangeError(`Model "${name}" has ${classes} classes, a label is ${stray}.`);
}

/** The same for a training task. */
export function checkTrainable(
  definition: ModelDefinition,
  manifest: ParameterManifest,
  parameters: ParameterVector,
  examples: Examples,
  { epochs, batchSize, learningRate }: TrainingTask,
): void {
  checkParameters(definition, manifest, parameters, examples);
  if (!Number.isInteger(epochs) || epochs < 1) throw new RangeError(`Training for ${epochs} epochs.`);
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new RangeError(`A batch of ${batchSize} examples.`);
  if (!Number.isFinite(learningRate)) throw new RangeError(`A learning rate of ${learningRate}.`);
}
