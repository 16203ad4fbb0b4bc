import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENGINES } from "../../../client/training/engines.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { Trainer, TrainingTask } from "../../../client/training/trainer.ts";
import { MODELS, type ModelDefinition, modelFor } from "../../../shared/learning/models/index.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { bytes, startingPoint, syntheticExamples, syntheticImages, updateDistance } from "./training-fixtures.ts";

/** The engines that every clone has; tfjs-node joins where a person has installed it. */
const engines: readonly Trainer["engine"][] = ["onnx", "tfjs"];
const small = ["softmax", "2nn"];

function model(name: string): ModelDefinition {
  return MODELS.get(name)!;
}

function batchOrder() {
  return seededRandom(11, "batch order", 1, 2);
}

describe.each(small.flatMap((name) => engines.map((engine) => [name, engine] as const)))("%s on %s", (name, engine) => {
  const definition = model(name);
  const task: TrainingTask = { epochs: 1, batchSize: 10, learningRate: 0.1 };
  const start = startingPoint(definition);
  const examples = syntheticImages(definition, 20);
  let trainer: Trainer;
  beforeAll(async () => {
    trainer = await ENGINES[engine](definition);
  });
  afterAll(() => trainer.dispose());

  it("gives the same bytes for the same inputs, and leaves the inputs as they were", async () => {
    const before = start.slice();
    const first = await trainer.train(start, examples, task, batchOrder());
    const second = await trainer.train(start, examples, task, batchOrder());
    expect(bytes(second.parameters).equals(bytes(first.parameters))).toBe(true);
    expect({ ...second, parameters: 0 }).toEqual({ ...first, parameters: 0 });
    expect(bytes(start).equals(bytes(before))).toBe(true);
    expect(bytes(first.parameters).equals(bytes(start))).toBe(false);
  });

  it("moves along the same step whether or not another call runs beside it", async () => {
    const alone = await trainer.train(start, examples, task, batchOrder());
    const other = trainer.train(start, examples, { ...task, learningRate: 1 }, seededRandom(1, "other"));
    const beside = await trainer.train(start, examples, task, batchOrder());
    await other;
    expect(bytes(beside.parameters).equals(bytes(alone.parameters))).toBe(true);
  });

  it("reports loss and hits as they were before each step of the last epoch", async () => {
    const still = await trainer.train(start, examples, { ...task, epochs: 2, learningRate: 0 }, batchOrder());
    const evaluation = await trainer.evaluate(start, examples);
    expect(bytes(still.parameters).equals(bytes(start))).toBe(true);
    expect(still.steps).toBe(4);
    expect(still.correct).toBe(evaluation.correct);
    expect(still.lossSum).toBeCloseTo(evaluation.lossSum, 4);
  });

  it("returns the parameters as they were when a device has no examples", async () => {
    const none = await trainer.train(start, syntheticImages(definition, 0), task, batchOrder());
    expect(none).toMatchObject({ examples: 0, lossSum: 0, correct: 0, steps: 0 });
    expect(bytes(none.parameters).equals(bytes(start))).toBe(true);
  });

  it("refuses a vector of another model, and a label that the model has no class for", async () => {
    await expect(trainer.train(start.slice(1), examples, task, batchOrder())).rejects.toThrow(/parameters/);
    const stray = { ...examples, labels: examples.labels.map(() => definition.outputs) };
    await expect(trainer.train(start, stray, task, batchOrder())).rejects.toThrow(/label is 10/);
  });
});

describe.each(small)("the engines agree on %s", (name) => {
  const definition = model(name);
  const start = startingPoint(definition);

  it.each([
    ["two batches of 10", 20, 10, 1],
    ["a partial batch at the end of each of two epochs", 23, 10, 2],
    ["fewer examples than a batch", 3, 10, 1],
    ["a batch of one", 2, 1, 1],
  ])("over %s", async (_, count, batchSize, epochs) => {
    const examples = syntheticImages(definition, count);
    const task: TrainingTask = { epochs, batchSize, learningRate: 0.1 };
    const results = [];
    for (const engine of engines) {
      const trainer = await ENGINES[engine](definition);
      results.push(await trainer.train(start, examples, task, batchOrder()));
      await trainer.dispose();
    }
    const [a, b] = results;
    expect(updateDistance(start, a.parameters, b.parameters)).toBeLessThanOrEqual(1e-5);
    expect(a.steps).toBe(b.steps);
    expect(a.correct).toBe(b.correct);
    expect(Math.abs(a.lossSum - b.lossSum)).toBeLessThan(1e-4 * b.lossSum);
  });
});

const table = { inputShape: [13], outputs: 3 } as const;

/** Every model but the large CNN, with the examples that plain JavaScript has time for. */
const zoo: readonly [name: string, definition: ModelDefinition, batchSize: number][] = [
  ...[...MODELS.values()]
    .filter(({ name }) => name !== "cnn")
    .map((definition): [string, ModelDefinition, number] => [
      definition.name,
      definition,
      definition.name === "mobile-cnn" ? 3 : 10,
    ]),
  ["logistic", modelFor("logistic", { ...table, labels: "classes" }), 10],
  ["linear", modelFor("linear", { ...table, labels: "targets" }), 10],
];

describe.each(zoo)("the engines agree on %s after two batches", (_, definition, batchSize) => {
  const start = startingPoint(definition);
  const examples = syntheticExamples(definition, 2 * batchSize);

  it.each<[string, Partial<TrainingTask>, number]>([
    ["SGD", {}, 1e-5],
    ["momentum", { optimizer: { kind: "momentum", momentum: 0.9, nesterov: false } }, 1e-5],
    ["Adam", { optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }, learningRate: 1e-3 }, 1e-3],
  ])("by %s", async (_, options, tolerance) => {
    const task: TrainingTask = { epochs: 1, batchSize, learningRate: 0.1, ...options };
    const results = [];
    for (const engine of engines) {
      const trainer = await ENGINES[engine](definition);
      results.push(await trainer.train(start, examples, task, batchOrder()));
      await trainer.dispose();
    }
    const [a, b] = results;
    expect(a.steps).toBe(2);
    expect(updateDistance(start, a.parameters, b.parameters)).toBeLessThanOrEqual(tolerance);
    expect(a.correct).toBe(b.correct);
  });
});

describe("the CNN of 1,663,370 parameters", () => {
  const definition = model("cnn");
  const start = startingPoint(definition);
  const examples = syntheticImages(definition, 2);
  const task: TrainingTask = { epochs: 1, batchSize: 2, learningRate: 0.1 };

  it("takes the same step on every engine", async () => {
    const onnx = await createOnnxTrainer(definition);
    const tfjs = await createTfjsTrainer(definition);
    const a = await onnx.train(start, examples, task, batchOrder());
    // One step of two images: plain JavaScript needs seconds for it.
    const b = await tfjs.train(start, examples, task, batchOrder());
    expect(start.length).toBe(1_663_370);
    expect(updateDistance(start, a.parameters, b.parameters)).toBeLessThanOrEqual(1e-5);
    expect(a.lossSum).toBeCloseTo(b.lossSum, 4);
    await onnx.dispose();
    await tfjs.dispose();
  });

  it("takes the same first step of Adam", async () => {
    // Adam makes a full step of a gradient that is zero but for rounding; with more images fewer filters see nothing.
    const few = syntheticImages(definition, 3);
    const adam: TrainingTask = {
      epochs: 1,
      batchSize: 3,
      learningRate: 1e-3,
      optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
    };
    const updated = [];
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      updated.push((await trainer.train(start, few, adam, batchOrder())).parameters);
      await trainer.dispose();
    }
    expect(updateDistance(start, updated[0], updated[1])).toBeLessThanOrEqual(1e-3);
  });

  it("is evaluated by the forward pass that it is trained with", async () => {
    const onnx = await createOnnxTrainer(definition);
    const few = syntheticImages(definition, 7);
    const still = await onnx.train(start, few, { epochs: 1, batchSize: 4, learningRate: 0 }, batchOrder());
    const evaluation = await onnx.evaluate(start, few);
    expect(evaluation.lossSum).toBeCloseTo(still.lossSum, 4);
    expect(evaluation.correct).toBe(still.correct);
    await onnx.dispose();
  });
});
