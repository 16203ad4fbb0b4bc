import type { SeededRandom } from "../../shared/random/seeded-random.ts";

/** A small fully connected network that is trained on a few examples until it knows them by heart: 784-64-10, ReLU. */
export interface Network {
  readonly inputs: number;
  readonly hidden: number;
  readonly outputs: number;
  /** inputs × hidden, hidden, hidden × outputs, outputs. */
  readonly weights: Float64Array;
}

/** Pictures as lists of what is not black in them: most of a digit is. */
export interface SparseExamples {
  readonly places: readonly Int32Array[];
  readonly values: readonly Float64Array[];
  readonly labels: Int32Array;
}

export interface NetworkTraining {
  readonly steps: number;
  readonly learningRate: number;
  /** Record-level differential privacy (Abadi et al. 2016): each example's gradient is clipped, their sum is noised. */
  readonly privacy?: { readonly clip: number; readonly noiseMultiplier: number };
}

export function sparseExamples(inputs: Float32Array, labels: ArrayLike<number>, size: number): SparseExamples {
  const places: Int32Array[] = [];
  const values: Float64Array[] = [];
  for (let example = 0; example < labels.length; example++) {
    const lit: number[] = [];
    for (let i = 0; i < size; i++) if (inputs[example * size + i] !== 0) lit.push(i);
    places.push(Int32Array.from(lit));
    values.push(Float64Array.from(lit, (i) => inputs[example * size + i]));
  }
  return { places, values, labels: Int32Array.from(labels) };
}

export function createNetwork(inputs: number, hidden: number, outputs: number, random: SeededRandom): Network {
  const weights = new Float64Array(inputs * hidden + hidden + hidden * outputs + outputs);
  const first = Math.sqrt(2 / inputs);
  const second = Math.sqrt(2 / hidden);
  for (let i = 0; i < inputs * hidden; i++) weights[i] = first * random.normal();
  const from = inputs * hidden + hidden;
  for (let i = 0; i < hidden * outputs; i++) weights[from + i] = second * random.normal();
  return { inputs, hidden, outputs, weights };
}

/** Full-batch gradient descent with momentum 0.9, in place; with privacy, without momentum. */
export function trainNetwork(
  network: Network,
  examples: SparseExamples,
  members: readonly number[],
  { steps, learningRate, privacy }: NetworkTraining,
  random: SeededRandom,
): void {
  const { weights } = network;
  const gradient = new Float64Array(weights.length);
  const velocity = new Float64Array(weights.length);
  const momentum = privacy === undefined ? 0.9 : 0;
  const pass = createPass(network);
  for (let step = 0; step < steps; step++) {
    gradient.fill(0);
    for (const example of members) {
      pass.forward(examples, example);
      const scale = privacy === undefined ? 1 : Math.min(1, privacy.clip / pass.gradientNorm(examples, example));
      pass.backward(examples, example, scale, gradient);
    }
    if (privacy !== undefined) {
      const deviation = privacy.noiseMultiplier * privacy.clip;
      for (let i = 0; i < gradient.length; i++) gradient[i] += deviation * random.normal();
    }
    for (let i = 0; i < weights.length; i++) {
      velocity[i] = momentum * velocity[i] - (learningRate / members.length) * gradient[i];
      weights[i] += velocity[i];
    }
  }
}

/** ln(p_y / (1 − p_y)) of every example: how sure the network is of its label. */
export function logitConfidences(network: Network, examples: SparseExamples): Float64Array {
  const pass = createPass(network);
  return Float64Array.from(examples.labels, (label, example) => {
    const { logits } = pass.forward(examples, example);
    let others = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < logits.length; c++) if (c !== label) others = logAdd(others, logits[c]);
    return logits[label] - others;
  });
}

interface Pass {
  forward(examples: SparseExamples, example: number): { readonly logits: Float64Array };
  /** Of the example's gradient, from what the forward pass left: outer products' norms are products of norms. */
  gradientNorm(examples: SparseExamples, example: number): number;
  backward(examples: SparseExamples, example: number, scale: number, into: Float64Array): void;
}

function createPass({ inputs, hidden, outputs, weights }: Network): Pass {
  const activations = new Float64Array(hidden);
  const logits = new Float64Array(outputs);
  const errors = new Float64Array(outputs);
  const hiddenErrors = new Float64Array(hidden);
  const biases = inputs * hidden;
  const second = biases + hidden;
  const last = second + hidden * outputs;

  return {
    forward({ places, values, labels }, example) {
      const [at, lit] = [places[example], values[example]];
      for (let h = 0; h < hidden; h++) activations[h] = weights[biases + h];
      for (let k = 0; k < at.length; k++) {
        const row = at[k] * hidden;
        const value = lit[k];
        for (let h = 0; h < hidden; h++) activations[h] += value * weights[row + h];
      }
      for (let c = 0; c < outputs; c++) logits[c] = weights[last + c];
      for (let h = 0; h < hidden; h++) {
        if (activations[h] <= 0) {
          activations[h] = 0;
          continue;
        }
        for (let c = 0; c < outputs; c++) logits[c] += activations[h] * weights[second + h * outputs + c];
      }
      const total = logits.reduce(logAdd, Number.NEGATIVE_INFINITY);
      for (let c = 0; c < outputs; c++) errors[c] = Math.exp(logits[c] - total) - (labels[example] === c ? 1 : 0);
      for (let h = 0; h < hidden; h++) {
        let sum = 0;
        if (activations[h] > 0) for (let c = 0; c < outputs; c++) sum += errors[c] * weights[second + h * outputs + c];
        hiddenErrors[h] = sum;
      }
      return { logits };
    },
    gradientNorm({ values }, example) {
      const square = (vector: Float64Array): number => vector.reduce((sum, value) => sum + value * value, 0);
      return Math.sqrt(
        (1 + square(values[example])) * square(hiddenErrors) + (1 + square(activations)) * square(errors),
      );
    },
    backward({ places, values }, example, scale, into) {
      const [at, lit] = [places[example], values[example]];
      for (let k = 0; k < at.length; k++) {
        const row = at[k] * hidden;
        const value = scale * lit[k];
        for (let h = 0; h < hidden; h++) into[row + h] += value * hiddenErrors[h];
      }
      for (let h = 0; h < hidden; h++) {
        into[biases + h] += scale * hiddenErrors[h];
        if (activations[h] === 0) continue;
        for (let c = 0; c < outputs; c++) into[second + h * outputs + c] += scale * activations[h] * errors[c];
      }
      for (let c = 0; c < outputs; c++) into[last + c] += scale * errors[c];
    },
  };
}

function logAdd(a: number, b: number): number {
  const [most, least] = a > b ? [a, b] : [b, a];
  return most === Number.NEGATIVE_INFINITY ? most : most + Math.log1p(Math.exp(least - most));
}
