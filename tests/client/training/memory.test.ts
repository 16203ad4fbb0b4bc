import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { compileInference } from "../../../client/training/onnx/export.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { Trainer, TrainingTask } from "../../../client/training/trainer.ts";
import { withBackend } from "../../../shared/learning/models/backend-scope.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import { initialParameters } from "../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { sequentialModel } from "./layer-fixtures.ts";
import { startingPoint, syntheticImages } from "./training-fixtures.ts";

/** Layers that hold on to something while they run: masks, statistics, states, kernels that stand in for others. */
const models: readonly [string, ModelDefinition][] = [
  [
    "recurrent masks and dropout",
    sequentialModel([5, 3], (l) => [
      l.lstm({ name: "memory", units: 4, dropout: 0.3, recurrentDropout: 0.3, inputShape: [5, 3] }),
      l.dropout({ name: "drop", rate: 0.5 }),
      l.dense({ name: "logits", units: 3 }),
    ]),
  ],
  [
    "statistics and dilated kernels",
    sequentialModel([6, 6, 1], (l) => [
      l.conv2d({ name: "wide", filters: 2, kernelSize: 2, dilationRate: 2, inputShape: [6, 6, 1] }),
      l.batchNormalization({ name: "norm" }),
      l.averagePooling2d({ name: "pool", poolSize: 2, padding: "same" }),
      l.layerNormalization({ name: "even", scale: false }),
      l.dense({ name: "logits", units: 3 }),
    ]),
  ],
];

const tasks: readonly Partial<TrainingTask>[] = [
  {},
  { gradientClip: 1, proximalMu: 0.1, weightDecay: 0.1 },
  { optimizer: { kind: "momentum", momentum: 0.9, nesterov: true } },
  { optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } },
];

/** What tfjs and the tracer hold. */
function held() {
  const { numTensors, numDataBuffers } = tf.memory();
  const traced = withBackend("murmuration-tracer", () => tf.backend().numDataIds());
  return { numTensors, numDataBuffers, traced };
}

async function useOnce(trainer: Trainer, definition: ModelDefinition, start: Float32Array): Promise<void> {
  const examples = syntheticImages(definition, 7);
  for (const options of tasks) {
    const task = { epochs: 1, batchSize: 3, learningRate: 0.1, ...options };
    await trainer.train(start, examples, task, seededRandom(1, "order"));
  }
  await trainer.evaluate(start, examples);
}

describe.each(models)("a model with %s", (_, definition) => {
  it("leaves nothing behind on the onnx engine, neither in tfjs nor in the tracer", async () => {
    const start = startingPoint(definition);
    await (await createOnnxTrainer(definition)).dispose();
    const before = held();
    const trainer = await createOnnxTrainer(definition);
    await useOnce(trainer, definition, start);
    await useOnce(trainer, definition, start);
    compileInference(definition, start);
    initialParameters(definition, seededRandom(1, "parameters"));
    await trainer.dispose();
    expect(held()).toEqual(before);
  });

  it("holds as much after many calls as after one on the tfjs engine, and nothing when it is disposed of", async () => {
    const start = startingPoint(definition);
    const before = held();
    const trainer = await createTfjsTrainer(definition);
    await useOnce(trainer, definition, start);
    const afterOne = held();
    for (let i = 0; i < 3; i++) await useOnce(trainer, definition, start);
    expect(held()).toEqual(afterOne);
    await trainer.dispose();
    expect(held()).toEqual(before);
  });
});

it("sees a tensor that is kept", () => {
  const before = held();
  const kept = withBackend("cpu", () => tf.scalar(1));
  expect(held()).not.toEqual(before);
  kept.dispose();
  expect(held()).toEqual(before);
});
