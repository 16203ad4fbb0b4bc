import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { epochBatches } from "../../../client/training/batches.ts";
import { compileSteps, OUTPUT, parameterOutput } from "../../../client/training/onnx/compile.ts";
import { deferredMatrix } from "../../../client/training/onnx/deferred-updates.ts";
import { graphBuilder } from "../../../client/training/onnx/graph-builder.ts";
import { mayOverwrite } from "../../../client/training/onnx/in-place.ts";
import {
  boolTensor,
  floatTensor,
  intTensor,
  openSession,
  type TensorMap,
} from "../../../client/training/onnx/session.ts";
import { parameterInput, traceStep } from "../../../client/training/onnx/trace.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { Trainer } from "../../../client/training/trainer.ts";
import { MODELS, type ModelDefinition } from "../../../shared/learning/models/index.ts";
import { parameterManifestFor } from "../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { bytes, startingPoint, syntheticImages, updateDistance } from "./training-fixtures.ts";

const PLAIN_SGD = { optimizer: "sgd", clips: false, drifts: false, shifts: false } as const;

describe.each(["softmax", "2nn"])("steps of %s in one graph", (name) => {
  const definition = MODELS.get(name)!;
  const start = startingPoint(definition);
  const examples = syntheticImages(definition, 23);
  const task = { epochs: 1, batchSize: 1, learningRate: 0.05 };
  let trainer: Trainer;
  beforeAll(async () => {
    trainer = await createOnnxTrainer(definition);
  });
  afterAll(() => trainer.dispose());

  it("are those that are taken one at a time", async () => {
    const unrolled = await trainer.train(start, examples, task, seededRandom(1, "order"));
    let parameters = start;
    let lossSum = 0;
    for (const [index] of epochBatches(23, 1, seededRandom(1, "order"))) {
      const one = {
        ...examples,
        inputs: examples.inputs.subarray(784 * index, 784 * (index + 1)),
        labels: examples.labels.subarray(index, index + 1),
        count: 1,
      };
      const result = await trainer.train(parameters, one, task, seededRandom(1, "order"));
      parameters = result.parameters;
      lossSum += result.lossSum;
    }
    expect(unrolled.steps).toBe(23);
    expect(unrolled.lossSum).toBeCloseTo(lossSum, 4);
    // A weight that is written once for several steps is the same sum in another order.
    expect(updateDistance(start, unrolled.parameters, parameters)).toBeLessThan(2e-6);
    if (name === "softmax") expect(bytes(unrolled.parameters).equals(bytes(parameters))).toBe(true);
  });

  it("go on from epoch to epoch, and report the last", async () => {
    const two = await trainer.train(start, examples, { ...task, epochs: 2, batchSize: 5 }, seededRandom(1, "order"));
    const random = seededRandom(1, "order");
    const first = await trainer.train(start, examples, { ...task, batchSize: 5 }, random);
    const second = await trainer.train(first.parameters, examples, { ...task, batchSize: 5 }, random);
    expect(updateDistance(start, two.parameters, second.parameters)).toBeLessThan(2e-6);
    expect(two).toMatchObject({ steps: 10, correct: second.correct });
    expect(two.lossSum).toBeCloseTo(second.lossSum, 4);
  });
});

describe.each([
  ["2nn", 10, 8],
  ["cnn", 2, 9],
] as const)("the graph of %s", (name, batch, steps) => {
  it("gives the same bytes whether the new parameters are written over the old ones or beside them", async () => {
    const definition = MODELS.get(name)!;
    const { tensors } = parameterManifestFor(definition);
    const graph = compileSteps(traceStep(definition, batch, PLAIN_SGD), batch, steps, definition);
    const session = await openSession(graph);
    const { inputs, labels, count } = syntheticImages(definition, 20);
    const order = Int32Array.from({ length: steps * batch }, (_, i) => (7 * i) % count);

    async function run(inPlace: boolean) {
      const parameters = startingPoint(definition);
      const updated = inPlace ? parameters : new Float32Array(parameters.length);
      const feeds: TensorMap = {
        allExamples: floatTensor(inputs, [count, ...definition.inputShape]),
        allLabels: intTensor(labels as Int32Array),
        order: intTensor(order),
        updateScale: floatTensor(Float32Array.of(-0.1 / batch), []),
      };
      const losses = new Float32Array(order.length);
      const fetches: TensorMap = {
        [OUTPUT.losses]: floatTensor(losses, [order.length]),
        [OUTPUT.hits]: boolTensor(new Uint8Array(order.length)),
      };
      for (const [i, { offset, size, shape }] of tensors.entries()) {
        feeds[parameterInput(i)] = floatTensor(parameters.subarray(offset, offset + size), shape);
        fetches[parameterOutput(i)] = floatTensor(updated.subarray(offset, offset + size), shape);
      }
      await session.run(feeds, fetches);
      return { updated, losses };
    }

    expect(tensors.every((_, i) => mayOverwrite(graph, parameterInput(i), parameterOutput(i)))).toBe(true);
    const [beside, over] = [await run(false), await run(true)];
    expect(bytes(over.updated).equals(bytes(beside.updated))).toBe(true);
    expect(bytes(over.losses).equals(bytes(beside.losses))).toBe(true);
    expect(bytes(over.updated).equals(bytes(startingPoint(definition)))).toBe(false);
    await session.release();
  });
});

describe("a dense weight that is written once for several steps", () => {
  const [batch, inputs, outputs, steps] = [3, 7, 5, 5];
  const random = seededRandom(4, "matrices");
  const values = (length: number) => Float32Array.from({ length }, () => random.uniform() - 0.5);

  it.each([
    ["as it is", { steps: 2, ofExamples: false, turned: false }],
    ["by a transposed copy", { steps: 3, ofExamples: false, turned: true }],
    ["with examples known beforehand", { steps: 4, ofExamples: true, turned: false }],
    ["in each step", { steps: 1, ofExamples: false, turned: false }],
  ])("is multiplied %s as if it were written in each", async (_, plan) => {
    const graph = graphBuilder();
    const float = (shape: readonly number[]) => ({ type: "float32", shape }) as const;
    const initial = values(inputs * outputs);
    const bias = values(outputs);
    const x = values(steps * batch * inputs);
    const gradients = values(steps * batch * outputs);
    const all = graph.input("x", float([steps * batch, inputs]));
    const allGradients = graph.input("gradients", float([steps * batch, outputs]));
    const rows = (value: typeof all, from: number, count: number) =>
      graph.node(
        "Slice",
        [value, graph.integers([from * batch]), graph.integers([(from + count) * batch]), graph.integers([0])],
        float([count * batch, value.shape[1]]),
      );
    const weight = deferredMatrix(
      graph.input("weight", float([inputs, outputs])),
      plan,
      steps,
      (first, count) => rows(all, first, count),
      graph,
    );
    const biasInput = graph.input("bias", float([outputs]));
    const found: Record<string, Float32Array> = {};
    const fetches: TensorMap = {};
    const output = (name: string, value: typeof all) => {
      graph.output(name, value);
      found[name] = new Float32Array(value.shape[0] * value.shape[1]);
      fetches[name] = floatTensor(found[name], value.shape);
    };
    for (let step = 0; step < steps; step++) {
      const [a, gradient] = [rows(all, step, 1), rows(allGradients, step, 1)];
      output(`forward ${step}`, weight.times(a, biasInput));
      if (!plan.ofExamples) output(`backward ${step}`, weight.timesTransposed(gradient));
      weight.update(a, gradient);
    }
    output("updated", weight.weight());
    const session = await openSession(graph.build());
    await session.run(
      {
        x: floatTensor(x, all.shape),
        gradients: floatTensor(gradients, allGradients.shape),
        weight: floatTensor(initial.slice(), [inputs, outputs]),
        bias: floatTensor(bias, [outputs]),
      },
      fetches,
    );
    await session.release();

    const w = Float64Array.from(initial);
    for (let step = 0; step < steps; step++) {
      for (let n = step * batch; n < (step + 1) * batch; n++) {
        const row = n - step * batch;
        for (let k = 0; k < outputs; k++) {
          let sum = bias[k];
          for (let i = 0; i < inputs; i++) sum += x[n * inputs + i] * w[i * outputs + k];
          expect(found[`forward ${step}`][row * outputs + k]).toBeCloseTo(sum, 5);
        }
        for (let i = 0; i < inputs && !plan.ofExamples; i++) {
          let sum = 0;
          for (let k = 0; k < outputs; k++) sum += gradients[n * outputs + k] * w[i * outputs + k];
          expect(found[`backward ${step}`][row * inputs + i]).toBeCloseTo(sum, 5);
        }
      }
      for (let n = step * batch; n < (step + 1) * batch; n++) {
        for (let i = 0; i < inputs; i++) {
          for (let k = 0; k < outputs; k++) w[i * outputs + k] += x[n * inputs + i] * gradients[n * outputs + k];
        }
      }
    }
    for (const [i, value] of w.entries()) expect(found.updated[i]).toBeCloseTo(value, 5);
  });

  it("is not, where something else reads it: a regulariser's gradient is of the weight of its step", async () => {
    const definition: ModelDefinition = {
      name: "regularised",
      title: "Regularised",
      inputShape: [784],
      outputs: 4,
      loss: "softmaxCrossEntropy",
      createModel: (tf) => {
        const kernelRegularizer = { className: "L1L2", config: { l1: 0, l2: 0.01 } } as never;
        return tf.sequential({
          layers: [
            tf.layers.dense({ units: 200, activation: "relu", inputShape: [784], kernelRegularizer }),
            tf.layers.dense({ units: 4 }),
          ],
        });
      },
    };
    const start = startingPoint(definition);
    const examples = syntheticImages(definition, 40);
    const task = { epochs: 1, batchSize: 10, learningRate: 0.1 };
    const updates = [];
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      updates.push((await trainer.train(start, examples, task, seededRandom(1, "order"))).parameters);
      await trainer.dispose();
    }
    expect(updateDistance(start, updates[0], updates[1])).toBeLessThanOrEqual(1e-5);
  });
});
