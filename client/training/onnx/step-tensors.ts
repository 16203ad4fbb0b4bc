import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import type { ParameterManifest, ParameterVector } from "../../../shared/learning/parameters.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { labelType, labelWidth } from "../loss.ts";
import { fillNoise } from "../noise.ts";
import {
  STATE_VECTORS,
  STEP_NUMBERS,
  type StepRule,
  shiftVector,
  type stepNumbers,
  taskNumbers,
} from "../optimizer.ts";
import type { TrainingTask } from "../trainer.ts";
import { parameterOutput, stateOutput, TRAINING_INPUT } from "./compile.ts";
import { sizeOf } from "./kernel.ts";
import { floatTensor, intTensor, type TensorMap } from "./session.ts";
import { noiseInput, parameterInput, type StepTrace, shiftInput, stateInput } from "./trace.ts";

/** What a step changes: parameters and the optimiser's state. */
export interface TrainingBuffer {
  readonly parameters: ParameterVector;
  readonly inputs: TensorMap;
  readonly outputs: TensorMap;
}

/** Received parameters are copied: what is frozen stays in the copy as it is. State begins at zero. */
export function trainingBuffer(
  received: ParameterVector,
  { optimizer }: StepRule,
  manifest: ParameterManifest,
  into: ParameterVector = new Float32Array(received.length),
): TrainingBuffer {
  const parameters = into;
  parameters.set(received);
  const inputs = tensorsOf(parameters, manifest, parameterInput);
  const outputs: TensorMap = {};
  for (const [i, { kind }] of manifest.tensors.entries()) {
    if (kind !== "frozen") outputs[parameterOutput(i)] = inputs[parameterInput(i)];
  }
  for (let vector = 0; vector < STATE_VECTORS[optimizer]; vector++) {
    const state = tensorsOf(new Float32Array(manifest.size), manifest, (i) => stateInput(vector, i));
    for (const [i, { kind }] of manifest.tensors.entries()) {
      if (kind !== "trained") continue;
      const name = stateInput(vector, i);
      inputs[name] = state[name];
      outputs[stateOutput(name)] = state[name];
    }
  }
  return { parameters, inputs, outputs };
}

/** The tensors of a flat vector, as views of it, under the name of each. */
export function tensorsOf(
  flat: Float32Array,
  { tensors }: ParameterManifest,
  name: (index: number) => string,
): TensorMap {
  const map: TensorMap = {};
  for (const [i, { offset, size, shape }] of tensors.entries()) {
    map[name(i)] = floatTensor(flat.subarray(offset, offset + size), shape);
  }
  return map;
}

/** What is the same in every step: the rates, and what is added to the gradient. A graph takes what it uses. */
export function taskTensors(task: TrainingTask, received: ParameterVector, manifest: ParameterManifest): TensorMap {
  const shift = shiftVector(task, received);
  const map: TensorMap = shift === undefined ? {} : tensorsOf(shift, manifest, shiftInput);
  for (const [name, value] of Object.entries(taskNumbers(task))) map[name] = floatTensor(Float32Array.of(value), []);
  return map;
}

/** What differs from step to step, for the next `count` of them: Adam's rates, and what the layers draw. */
export function varyingTensors(
  { noise }: StepTrace,
  numbers: ReturnType<typeof stepNumbers>,
  count: number,
  random: SeededRandom,
): TensorMap {
  const rates = STEP_NUMBERS.map(() => new Float32Array(count));
  const drawn = noise.map(({ shape }) => new Float32Array(count * sizeOf(shape)));
  for (let step = 0; step < count; step++) {
    const { value } = numbers.next();
    for (const [i, name] of STEP_NUMBERS.entries()) rates[i][step] = value[name];
    for (const [site, values] of drawn.entries()) {
      const size = values.length / count;
      fillNoise(noise[site], values.subarray(step * size, (step + 1) * size), random);
    }
  }
  const map: TensorMap = {};
  for (const [i, name] of STEP_NUMBERS.entries()) map[name] = floatTensor(rates[i], [count]);
  for (const [site, values] of drawn.entries()) {
    map[noiseInput(site)] = floatTensor(values, [count, ...noise[site].shape]);
  }
  return map;
}

export function datasetTensors({ inputs, labels, count }: Examples, definition: ModelDefinition): TensorMap {
  return {
    [TRAINING_INPUT.examples]: floatTensor(inputs, [count, ...definition.inputShape]),
    [TRAINING_INPUT.labels]: labelTensor(labels, 0, count, definition),
  };
}

/** The labels of examples `start` to `end`. */
export function labelTensor(labels: Examples["labels"], start: number, end: number, definition: ModelDefinition) {
  const width = labelWidth(definition);
  const part = labels.subarray(start * width, end * width);
  const shape = [end - start, ...labelType(definition).shape];
  return part instanceof Int32Array ? intTensor(part, shape) : floatTensor(part, shape);
}
