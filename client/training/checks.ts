import type { Examples } from "../../shared/learning/examples.ts";
import type { LocalOptimizer } from "../../shared/learning/local-training.ts";
import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import type { ParameterManifest, ParameterVector } from "../../shared/learning/parameters.ts";
import { labelWidth } from "./loss.ts";
import type { TrainingTask } from "./trainer.ts";

/** Refuses parameters and examples that do not fit the model, by name and number, before an engine sees them. */
export function checkParameters(
  definition: ModelDefinition,
  { size }: ParameterManifest,
  parameters: ParameterVector,
  examples: Examples,
): void {
  const { name, inputShape } = definition;
  const { inputs, count } = examples;
  if (parameters.length !== size) {
    throw new RangeError(`Model "${name}" has ${size} parameters, the vector has ${parameters.length}.`);
  }
  const width = inputShape.reduce((product, length) => product * length, 1);
  if (inputs.length !== count * width) {
    throw new RangeError(`Model "${name}" takes ${width} values an example: ${count} have ${inputs.length} values.`);
  }
  checkLabels(definition, examples);
}

function checkLabels({ name, outputs, loss }: ModelDefinition, { labels, count }: Examples): void {
  const width = labelWidth({ outputs, loss });
  if (labels.length !== count * width) {
    throw new RangeError(`Model "${name}" takes ${width} labels an example: ${count} have ${labels.length} labels.`);
  }
  if (loss === "softmaxCrossEntropy") {
    if (labels instanceof Float32Array) throw new TypeError(`Model "${name}" takes classes, the labels are targets.`);
    const stray = labels.find((label) => label < 0 || label >= outputs);
    if (stray !== undefined) throw new RangeError(`Model "${name}" has ${outputs} classes, a label is ${stray}.`);
    return;
  }
  if (labels instanceof Int32Array) throw new TypeError(`Model "${name}" takes targets, the labels are classes.`);
  const allowed = loss === "sigmoidCrossEntropy" ? (z: number) => z >= 0 && z <= 1 : Number.isFinite;
  const stray = labels.find((label) => !allowed(label));
  if (stray !== undefined) throw new RangeError(`Model "${name}" learns by ${loss}, a target is ${stray}.`);
}

/** The same for a training task. */
export function checkTrainable(
  definition: ModelDefinition,
  manifest: ParameterManifest,
  parameters: ParameterVector,
  examples: Examples,
  task: TrainingTask,
): void {
  const { epochs, batchSize, learningRate } = task;
  checkParameters(definition, manifest, parameters, examples);
  if (!Number.isInteger(epochs) || epochs < 1) throw new RangeError(`Training for ${epochs} epochs.`);
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new RangeError(`A batch of ${batchSize} examples.`);
  if (!Number.isFinite(learningRate)) throw new RangeError(`A learning rate of ${learningRate}.`);
  const { weightDecay = 0, proximalMu = 0, gradientClip, optimizer, correction } = task;
  if (!(weightDecay >= 0 && Number.isFinite(weightDecay))) throw new RangeError(`A weight decay of ${weightDecay}.`);
  if (!(proximalMu >= 0 && Number.isFinite(proximalMu))) throw new RangeError(`A proximal term of ${proximalMu}.`);
  if (gradientClip !== undefined && !(gradientClip > 0 && Number.isFinite(gradientClip))) {
    throw new RangeError(`A gradient clipped to ${gradientClip}.`);
  }
  if (correction !== undefined && correction.length !== parameters.length) {
    throw new RangeError(`A correction of ${correction.length} values for ${parameters.length} parameters.`);
  }
  if (optimizer !== undefined) checkOptimizer(optimizer);
}

function checkOptimizer(optimizer: LocalOptimizer): void {
  const below1 = optimizer.kind === "adam" ? [optimizer.beta1, optimizer.beta2] : [optimizer.momentum];
  const stray = below1.find((value) => !(value >= 0 && value < 1));
  if (stray !== undefined)
    throw new RangeError(`A decay rate of ${stray} in ${optimizer.kind}, which is not in [0, 1).`);
  if (optimizer.kind === "adam" && !(optimizer.epsilon > 0))
    throw new RangeError(`An ε of ${optimizer.epsilon} in Adam.`);
}
