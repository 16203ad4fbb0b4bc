import { describe, expect, it } from "vitest";
import { epochBatches } from "../../../client/training/batches.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { TrainingTask } from "../../../client/training/trainer.ts";
import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { updateDistance } from "./training-fixtures.ts";

const [INPUTS, OUTPUTS, COUNT] = [4, 3, 10];
const SIZE = (INPUTS + 1) * OUTPUTS;

/** Least squares, whose gradient is a few loops. */
const definition: ModelDefinition = {
  name: "test",
  title: "Test",
  inputShape: [INPUTS],
  outputs: OUTPUTS,
  loss: "meanSquaredError",
  createModel: (tf) => tf.sequential({ layers: [tf.layers.dense({ units: OUTPUTS, inputShape: [INPUTS] })] }),
};

const random = seededRandom(1, "least squares");
const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
const examples: Examples = {
  inputs: draw(COUNT * INPUTS),
  labels: draw(COUNT * OUTPUTS),
  inputShape: [INPUTS],
  count: COUNT,
};
const received = draw(SIZE);
const correction = draw(SIZE);

function gradient(w: Float64Array, batch: Int32Array): Float64Array {
  const g = new Float64Array(SIZE);
  for (const n of batch) {
    for (let k = 0; k < OUTPUTS; k++) {
      let error = w[INPUTS * OUTPUTS + k] - examples.labels[n * OUTPUTS + k];
      for (let i = 0; i < INPUTS; i++) error += examples.inputs[n * INPUTS + i] * w[i * OUTPUTS + k];
      const slope = (2 * error) / (OUTPUTS * batch.length);
      g[INPUTS * OUTPUTS + k] += slope;
      for (let i = 0; i < INPUTS; i++) g[i * OUTPUTS + k] += slope * examples.inputs[n * INPUTS + i];
    }
  }
  return g;
}

/** The recurrences as the papers and `LocalTraining` state them, in float64, sharing nothing with the engines. */
function reference(task: TrainingTask, order: readonly Int32Array[]): Float32Array {
  const { learningRate: eta, weightDecay: lambda = 0, proximalMu: mu = 0, gradientClip = Infinity, optimizer } = task;
  const w = Float64Array.from(received);
  const velocity = new Float64Array(SIZE);
  const m = new Float64Array(SIZE);
  const v = new Float64Array(SIZE);
  for (const [step, batch] of order.entries()) {
    const g = gradient(w, batch);
    const norm = Math.hypot(...g);
    const t = step + 1;
    const before = Float64Array.from(w);
    for (let i = 0; i < SIZE; i++) {
      if (norm > gradientClip) g[i] *= gradientClip / norm;
      g[i] += mu * (before[i] - received[i]) + (task.correction?.[i] ?? 0);
      if (optimizer?.kind !== "adam") g[i] += lambda * before[i];
      if (optimizer === undefined) w[i] -= eta * g[i];
      else if (optimizer.kind === "momentum") {
        velocity[i] = optimizer.momentum * velocity[i] + g[i];
        w[i] -= eta * (optimizer.nesterov ? g[i] + optimizer.momentum * velocity[i] : velocity[i]);
      } else {
        const { beta1, beta2, epsilon } = optimizer;
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
        const [mHat, vHat] = [m[i] / (1 - beta1 ** t), v[i] / (1 - beta2 ** t)];
        w[i] -= (eta * mHat) / (Math.sqrt(vHat) + epsilon) + eta * lambda * before[i];
      }
    }
  }
  return Float32Array.from(w);
}

const momentum = { kind: "momentum", momentum: 0.9, nesterov: false } as const;
const nesterov = { kind: "momentum", momentum: 0.8, nesterov: true } as const;
const adam = { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const everything = { weightDecay: 0.3, proximalMu: 0.7, gradientClip: 0.5, correction };

describe.each([
  ["onnx", createOnnxTrainer],
  ["tfjs", createTfjsTrainer],
] as const)("local training on %s", (_, create) => {
  it.each<[string, Partial<TrainingTask>]>([
    ["plain SGD", {}],
    ["weight decay", { weightDecay: 0.3 }],
    ["FedProx's gradient", { proximalMu: 0.7 }],
    ["SCAFFOLD's correction", { correction }],
    ["a clipped gradient", { gradientClip: 0.5 }],
    ["a gradient shorter than its clip", { gradientClip: 1e6 }],
    ["SGD with all of them", everything],
    ["momentum", { optimizer: momentum }],
    ["momentum with all of them", { ...everything, optimizer: momentum }],
    ["Nesterov's momentum", { optimizer: nesterov }],
    ["Nesterov's momentum with all of them", { ...everything, optimizer: nesterov }],
    ["Adam", { optimizer: adam }],
    ["Adam with a large ε", { optimizer: { ...adam, epsilon: 0.1 } }],
    ["AdamW", { optimizer: adam, weightDecay: 0.3 }],
    ["Adam with all of them", { ...everything, optimizer: adam }],
  ])("is %s, step for step", async (_, options) => {
    // Batches of 4, 4 and 2: on the onnx engine two unrolled steps and a partial one, twice.
    const task: TrainingTask = { epochs: 2, batchSize: 4, learningRate: 0.05, ...options };
    const order = seededRandom(1, "order");
    const batches = [...epochBatches(COUNT, 4, order), ...epochBatches(COUNT, 4, order)];
    const trainer = await create(definition);
    const { parameters } = await trainer.train(received, examples, task, seededRandom(1, "order"));
    expect(updateDistance(received, reference(task, batches), parameters)).toBeLessThan(1e-5);
    // State begins at zero in every call.
    const again = await trainer.train(received, examples, task, seededRandom(1, "order"));
    expect(again.parameters).toEqual(parameters);
    await trainer.dispose();
  });

  it.each<[Partial<TrainingTask>, RegExp]>([
    [{ gradientClip: 0 }, /clipped to 0/],
    [{ weightDecay: -1 }, /decay of -1/],
    [{ proximalMu: Number.NaN }, /proximal term of NaN/],
    [{ correction: new Float32Array(3) }, /correction of 3 values for 15/],
    [{ optimizer: { ...momentum, momentum: 1 } }, /decay rate of 1/],
    [{ optimizer: { ...adam, epsilon: 0 } }, /ε of 0/],
  ])("refuses %o", async (options, message) => {
    const trainer = await create(definition);
    const task = { epochs: 1, batchSize: 4, learningRate: 0.05, ...options };
    await expect(trainer.train(received, examples, task, seededRandom(1, "order"))).rejects.toThrow(message);
    await trainer.dispose();
  });
});
