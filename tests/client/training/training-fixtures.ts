import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import { initialParameters } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";

/** Images with the empty borders of handwriting, where max-pooling ties; other shapes are full. Labels are arbitrary. */
export function syntheticImages(definition: ModelDefinition, count: number): Examples {
  const random = seededRandom(3, "images");
  const width = definition.inputShape.reduce((product, length) => product * length, 1);
  const [side, , channels = 1] = width === 784 ? [28] : definition.inputShape;
  const border = side * side * channels === width ? side / 7 : -Infinity;
  const inputs = new Float32Array(count * width);
  for (let i = 0; i < inputs.length; i++) {
    const pixel = Math.floor((i % width) / channels);
    const [row, column] = [Math.floor(pixel / side), pixel % side];
    const inside = Math.min(row, column, side - 1 - row, side - 1 - column) >= border;
    if (inside && random.uniform() < 0.6) inputs[i] = random.uniform();
  }
  const labels = Int32Array.from({ length: count }, () => random.below(definition.outputs));
  return { inputs, labels, inputShape: definition.inputShape, count };
}

/** Examples of what a model of the zoo takes: characters for the LSTM, else images; targets where its loss is of those. */
export function syntheticExamples(definition: ModelDefinition, count: number): Examples {
  const examples = syntheticImages(definition, count);
  const random = seededRandom(3, "examples");
  if (definition.name === "lstm") {
    return { ...examples, inputs: examples.inputs.map(() => random.below(definition.outputs)) };
  }
  if (definition.loss === "softmaxCrossEntropy") return examples;
  return { ...examples, labels: Float32Array.from({ length: count * definition.outputs }, () => random.normal()) };
}

export function startingPoint(definition: ModelDefinition): ParameterVector {
  const parameters = initialParameters(definition, seededRandom(5, "initial parameters"));
  // Biases that are not zero, so that an engine which drops one is seen.
  const random = seededRandom(7, "biases");
  return parameters.map((value) => (value === 0 ? 0.1 * (random.uniform() - 0.5) : value));
}

/** ‖(a − p) − (b − p)‖₂ / ‖a − p‖₂, in float64: how far two updates from the same parameters are apart. */
export function updateDistance(start: ParameterVector, a: ParameterVector, b: ParameterVector): number {
  let difference = 0;
  let length = 0;
  for (let i = 0; i < start.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    length += (a[i] - start[i]) ** 2;
  }
  return Math.sqrt(difference / length);
}

/** For comparing vectors bit by bit. */
export function bytes(vector: ParameterVector): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
}
