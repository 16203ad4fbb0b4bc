import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { mayOverwrite } from "../../../client/training/onnx/in-place.ts";
import type { OnnxGraph } from "../../../client/training/onnx/model-proto.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { UntraceableModelError } from "../../../client/training/onnx/untraceable-model-error.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import { activeBackend } from "../../../shared/learning/models/backend-scope.ts";
import { MODELS, type ModelDefinition } from "../../../shared/learning/models/index.ts";
import type { TfLayers } from "../../../shared/learning/models/model-definition.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { bothEngines, type Layer, sequentialModel } from "./layer-fixtures.ts";
import { startingPoint, syntheticImages, updateDistance } from "./training-fixtures.ts";

describe("layers of tf.layers, each against tfjs", () => {
  it.each<[string, (layers: TfLayers["layers"]) => Layer[]]>([
    [
      "tanh and sigmoid",
      (l) => [l.flatten(), l.dense({ units: 9, activation: "tanh" }), l.dense({ units: 7, activation: "sigmoid" })],
    ],
    [
      "activations as layers",
      (l) => [l.flatten(), l.dense({ units: 9 }), l.activation({ activation: "relu" }), l.reLU()],
    ],
    ["a reshape and no bias", (l) => [l.reshape({ targetShape: [50] }), l.dense({ units: 8, useBias: false })]],
    [
      "a convolution, stride 2, no padding",
      (l) => [l.conv2d({ filters: 4, kernelSize: 3, strides: 2, activation: "relu" }), l.flatten()],
    ],
    [
      "two convolutions, even kernel, stride 2, padded",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 2, padding: "same", activation: "tanh" }),
        l.conv2d({ filters: 4, kernelSize: 4, strides: 2, padding: "same" }),
        l.flatten(),
      ],
    ],
    [
      "1 × 1 convolutions",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 1, activation: "relu" }),
        l.conv2d({ filters: 4, kernelSize: 1 }),
        l.flatten(),
      ],
    ],
    [
      "tiling pools of 3 × 2",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: [3, 2], activation: "relu" }),
        l.maxPooling2d({ poolSize: [3, 2] }),
        l.flatten(),
      ],
    ],
    [
      "overlapping pools",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "relu" }),
        l.maxPooling2d({ poolSize: 3, strides: 1 }),
        l.flatten(),
      ],
    ],
    [
      "padded pools",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "relu" }),
        l.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
        l.flatten(),
      ],
    ],
    [
      "pools that leave a row over",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "relu" }),
        l.maxPooling2d({ poolSize: 2 }),
        l.flatten(),
      ],
    ],
    ["pooled pixels, no convolution before", (l) => [l.maxPooling2d({ poolSize: 2 }), l.flatten()]],
  ])("%s", async (_, layers) => {
    const definition = sequentialModel([5, 5, 2], (l) => {
      const [first, ...rest] = layers(l);
      return [l.inputLayer({ inputShape: [5, 5, 2] }), first, ...rest, l.dense({ units: 3 })];
    });
    const { distance, evaluations } = await bothEngines(definition, 11, 4);
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(evaluations[0].lossSum).toBeCloseTo(evaluations[1].lossSum, 4);
  });

  it("a softmax that ends the model is removed: the loss is of logits, also of large ones", async () => {
    const inputShape = [6];
    const withSoftmax = sequentialModel(inputShape, (l) => [l.dense({ units: 3, activation: "softmax", inputShape })]);
    const plain = sequentialModel(inputShape, (l) => [l.dense({ units: 3, inputShape })]);
    const examples = syntheticImages(plain, 8);
    const start = startingPoint(plain).map((value) => 1000 * value);
    const losses = [];
    for (const definition of [withSoftmax, plain]) {
      for (const create of [createOnnxTrainer, createTfjsTrainer]) {
        const trainer = await create(definition);
        losses.push((await trainer.evaluate(start, examples)).lossSum);
        await trainer.dispose();
      }
    }
    expect(losses.every((loss) => Number.isFinite(loss) && loss > 100)).toBe(true);
    for (const loss of losses) expect(Math.abs(loss / losses[0] - 1)).toBeLessThan(1e-6);
  });
});

describe("losses", () => {
  const inputShape = [6];
  const examples = {
    ...syntheticImages(
      sequentialModel(inputShape, () => []),
      9,
    ),
    inputShape,
  };

  it.each<[ModelDefinition["loss"], string | undefined, (z: number, t: number) => [loss: number, gradient: number]]>([
    [
      "sigmoidCrossEntropy",
      "sigmoid",
      (z, t) => [Math.log(1 + Math.exp(-z)) + (1 - t) * z, 1 / (1 + Math.exp(-z)) - t],
    ],
    ["meanSquaredError", undefined, (z, t) => [(z - t) ** 2, 2 * (z - t)]],
  ])("%s and its gradient are those of float64 on both engines", async (loss, activation, objective) => {
    const outputs = 4;
    const definition: ModelDefinition = {
      ...sequentialModel(inputShape, (l) => [
        l.dense({ units: outputs, inputShape, ...(activation === undefined ? {} : { activation: "sigmoid" }) }),
      ]),
      outputs,
      loss,
    };
    const random = seededRandom(1, "targets");
    const labels = Float32Array.from({ length: 9 * outputs }, () => Math.round(2 * random.uniform()) / 2);
    const start = startingPoint(definition).map((value) => 3 * value);
    const expected = Float64Array.from(start);
    let lossSum = 0;
    let correct = 0;
    for (let n = 0; n < 9; n++) {
      let hit = loss === "sigmoidCrossEntropy";
      for (let k = 0; k < outputs; k++) {
        let z = start[6 * outputs + k];
        for (let i = 0; i < 6; i++) z += examples.inputs[6 * n + i] * start[outputs * i + k];
        const [value, gradient] = objective(z, labels[outputs * n + k]);
        lossSum += value / outputs;
        hit &&= z > 0 === labels[outputs * n + k] > 0.5;
        expected[6 * outputs + k] -= (0.3 * gradient) / (9 * outputs);
        for (let i = 0; i < 6; i++) {
          expected[outputs * i + k] -= (0.3 * gradient * examples.inputs[6 * n + i]) / (9 * outputs);
        }
      }
      if (hit) correct++;
    }
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      const task = { epochs: 1, batchSize: 9, learningRate: 0.3 };
      const trained = await trainer.train(start, { ...examples, labels }, task, seededRandom(1, "order"));
      expect(updateDistance(start, Float32Array.from(expected), trained.parameters)).toBeLessThan(1e-5);
      const evaluation = await trainer.evaluate(start, { ...examples, labels });
      expect(evaluation).toMatchObject({ correct, examples: 9 });
      for (const figure of [trained.lossSum, evaluation.lossSum]) expect(figure / lossSum).toBeCloseTo(1, 5);
      await trainer.dispose();
    }
  });

  it("are given labels of their own kind, or refuse them", async () => {
    const classes = sequentialModel(inputShape, (l) => [l.dense({ units: 3, inputShape })]);
    const targets: ModelDefinition = { ...classes, loss: "sigmoidCrossEntropy" };
    const attempt = async (definition: ModelDefinition, labels: Int32Array | Float32Array) => {
      const trainer = await createOnnxTrainer(definition);
      return trainer.evaluate(startingPoint(definition), { ...examples, labels }).finally(() => trainer.dispose());
    };
    await expect(attempt(classes, new Float32Array(9))).rejects.toThrow(/takes classes/);
    await expect(attempt(targets, new Int32Array(27))).rejects.toThrow(/takes targets/);
    await expect(attempt(targets, new Float32Array(9))).rejects.toThrow(/3 labels an example/);
    await expect(attempt(targets, new Float32Array(27).fill(1.5))).rejects.toThrow(/target is 1.5/);
    const regression: ModelDefinition = { ...classes, loss: "meanSquaredError" };
    await expect(attempt(regression, new Float32Array(27).fill(Number.NaN))).rejects.toThrow(/target is NaN/);
  });
});

describe("max-pooling with ties", () => {
  it.each(["tiling", "overlapping"])("%s windows send a gradient to the first maximum, once", async (windows) => {
    // A 1 × 1 convolution of weight one, no bias, over an image of ones: every window ties everywhere.
    const definition = sequentialModel([4, 4, 1], (l) => [
      l.conv2d({ name: "conv", filters: 1, kernelSize: 1, useBias: true, inputShape: [4, 4, 1] }),
      l.maxPooling2d({ poolSize: 2, strides: windows === "tiling" ? 2 : 1 }),
      l.flatten(),
      l.dense({ name: "logits", units: 3, useBias: false }),
    ]);
    const pooled = windows === "tiling" ? 4 : 9;
    const start = new Float32Array(2 + 3 * pooled);
    start.set([1, 0]);
    for (let i = 0; i < pooled; i++) start[2 + 3 * i] = 0.1;
    const examples = {
      inputs: new Float32Array(16).fill(1),
      labels: Int32Array.of(1),
      inputShape: [4, 4, 1],
      count: 1,
    };
    const trainer = await createOnnxTrainer(definition);
    const task = { epochs: 1, batchSize: 1, learningRate: 1 };
    const { parameters } = await trainer.train(start, examples, task, seededRandom(1, "order"));
    // Logits are (0.1 · pooled, 0, 0); each pooled value sends (p₀ · 0.1) back, and the bias gets it once.
    const p0 = Math.exp(0.1 * pooled) / (Math.exp(0.1 * pooled) + 2);
    expect(parameters[1]).toBeCloseTo(-pooled * 0.1 * p0, 5);
    await trainer.dispose();
  });
});

describe("max-pooling of different pixels with equal values", () => {
  it.each([
    ["tiling", { poolSize: 2, strides: 2 }],
    ["overlapping", { poolSize: 2, strides: 1 }],
    ["padded", { poolSize: 3, strides: 2, padding: "same" as const }],
  ])("%s windows choose the pixel that tfjs chooses, the first in row-major order", async (_, pool) => {
    // Channels a and 1 − a, both of weight one: all pixels give one, and the filter's gradient tells which was chosen.
    const inputShape = [4, 4, 2];
    const definition = sequentialModel(inputShape, (l) => [
      l.conv2d({ name: "conv", filters: 1, kernelSize: 1, useBias: false, inputShape }),
      l.maxPooling2d(pool),
      l.flatten(),
      l.dense({ name: "logits", units: 3, useBias: false }),
    ]);
    const start = startingPoint(definition);
    start.set([1, 1]);
    const inputs = Float32Array.from({ length: 32 }, (_, i) => {
      const a = ((7 * (i >> 1)) % 16) / 16;
      return i % 2 === 0 ? a : 1 - a;
    });
    const examples = { inputs, labels: Int32Array.of(2), inputShape, count: 1 };
    const updates = [];
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      const task = { epochs: 1, batchSize: 1, learningRate: 1 };
      updates.push((await trainer.train(start, examples, task, seededRandom(1, "order"))).parameters);
      await trainer.dispose();
    }
    expect(updateDistance(start, updates[0], updates[1])).toBeLessThanOrEqual(1e-5);
  });
});

describe("the step itself", () => {
  it("is w − η ∇ mean loss, by loops in float64", async () => {
    const definition = sequentialModel([6], (l) => [
      l.dense({ name: "hidden", units: 5, activation: "relu", inputShape: [6] }),
      l.dense({ name: "logits", units: 3 }),
    ]);
    const start = startingPoint(definition);
    const examples = syntheticImages({ ...definition, inputShape: [6] }, 4);
    const expected = sgdStepOfTwoLayers(start, examples.inputs, Int32Array.from(examples.labels), [6, 5, 3], 0.2);
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      const task = { epochs: 1, batchSize: 4, learningRate: 0.2 };
      const { parameters } = await trainer.train(start, examples, task, seededRandom(1, "order"));
      expect(updateDistance(start, Float32Array.from(expected), parameters)).toBeLessThan(1e-5);
      await trainer.dispose();
    }
  });
});

describe("writing over a parameter while the graph runs", () => {
  const base = { inputs: [], outputs: [], initializers: [] };
  const node = (op: string, inputs: string[], output: string) => ({ op, inputs, outputs: [output], attributes: {} });
  const graph = (...nodes: ReturnType<typeof node>[]): OnnxGraph => ({ ...base, nodes });

  it("is allowed only when every reader of the old value comes before the writer", () => {
    const forward = node("MatMul", ["x", "w"], "y");
    const update = node("Add", ["v", "y"], "updated");
    expect(mayOverwrite(graph(forward, update), "w", "updated")).toBe(true);
    expect(mayOverwrite(graph(forward, update, node("MatMul", ["z", "w"], "other")), "w", "updated")).toBe(false);
    expect(mayOverwrite(graph(forward, node("Add", ["w", "y"], "updated")), "w", "updated")).toBe(false);
  });

  it("is refused when a view of the old value is read late", () => {
    const nodes = [
      node("Transpose", ["w"], "t"),
      node("MatMul", ["x", "t"], "y"),
      node("Add", ["v", "y"], "updated"),
      node("MatMul", ["z", "t"], "late"),
    ];
    expect(mayOverwrite(graph(...nodes), "w", "updated")).toBe(false);
    expect(mayOverwrite(graph(...nodes.slice(0, 3)), "w", "updated")).toBe(true);
  });
});

describe("a model that cannot be compiled", () => {
  it.each<[string, (l: TfLayers["layers"]) => Layer, RegExp]>([
    ["kernel", (l) => l.upSampling2d({ name: "odd", size: [2, 2] }), /kernel ResizeNearestNeighbor .*layer "odd"/],
    ["random layer", (l) => l.alphaDropout({ name: "drop", rate: 0.5 }), /random numbers.*layer "drop"/],
    ["operation without a gradient", (l) => l.thresholdedReLU({ theta: 1 }), /gradient function not found for Greater/],
    ["kernel's form", (l) => l.batchNormalization({ name: "norm", axis: 1 }), /kernel Reshape .*as many values/],
  ])("is refused before training, and the message names its %s", async (_, layer, message) => {
    const definition = sequentialModel([2, 4, 3], (l) => [
      l.conv2d({ name: "first", filters: 2, kernelSize: 1, inputShape: [2, 4, 3] }),
      layer(l),
      l.dense({ name: "logits", units: 3 }),
    ]);
    const refusal = createOnnxTrainer(definition);
    await expect(refusal).rejects.toThrow(UntraceableModelError);
    await expect(refusal).rejects.toThrow(message);
  });

  it.each<[string, (l: TfLayers["layers"]) => Layer, RegExp]>([
    [
      "a stateful layer",
      (l) => l.lstm({ name: "memory", units: 2, stateful: true, batchInputShape: [4, 2, 3] }),
      /"memory"/,
    ],
    [
      "a constraint",
      (l) => l.conv1d({ name: "bound", filters: 2, kernelSize: 1, kernelConstraint: "nonNeg", inputShape: [2, 3] }),
      /bound\/kernel/,
    ],
  ])("has %s, and no engine trains it", async (_, layer, message) => {
    const definition = sequentialModel([2, 3], (l) => [layer(l), l.dense({ units: 3 })]);
    await expect(createOnnxTrainer(definition)).rejects.toThrow(message);
    await expect(createTfjsTrainer(definition)).rejects.toThrow(message);
  });

  it("is refused when its input or output is not what its definition says", async () => {
    const definition = sequentialModel([6], (l) => [l.dense({ units: 4, inputShape: [6] })]);
    await expect(createOnnxTrainer(definition)).rejects.toThrow(/3 outputs/);
    await expect(createOnnxTrainer({ ...definition, inputShape: [7], outputs: 4 })).rejects.toThrow(/takes \[6\]/);
  });
});

describe("tfjs, which both engines share", () => {
  it("holds no more tensors after training than before, and the same backend is active", async () => {
    const definition = MODELS.get("softmax")!;
    const start = startingPoint(definition);
    const examples = syntheticImages(definition, 23);
    const task = { epochs: 1, batchSize: 10, learningRate: 0.1 };
    const backend = activeBackend();
    const before = tf.memory().numTensors;
    const onnx = await createOnnxTrainer(definition);
    await onnx.train(start, examples, task, seededRandom(1, "order"));
    await onnx.evaluate(start, examples);
    expect(tf.memory().numTensors).toBe(before);

    const tfjs = await createTfjsTrainer(definition);
    await tfjs.train(start, examples, task, seededRandom(1, "order"));
    const afterOne = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await tfjs.train(start, examples, task, seededRandom(1, "order"));
    await tfjs.evaluate(start, examples);
    expect(tf.memory().numTensors).toBe(afterOne);

    await onnx.dispose();
    await tfjs.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(activeBackend()).toBe(backend);
  });
});

/** One step of SGD on two dense layers, ReLU between, softmax cross-entropy: plain loops, nothing shared with the engines. */
function sgdStepOfTwoLayers(
  start: Float32Array,
  inputs: Float32Array,
  labels: Int32Array,
  [d, h, c]: [number, number, number],
  learningRate: number,
): Float64Array {
  const [w1, b1, w2, b2] = [0, d * h, d * h + h, d * h + h + h * c];
  const p = Float64Array.from(start);
  const gradient = new Float64Array(p.length);
  for (const [n, label] of labels.entries()) {
    const x = inputs.subarray(n * d, (n + 1) * d);
    const z = Array.from({ length: h }, (_, j) => x.reduce((sum, xi, i) => sum + xi * p[w1 + i * h + j], p[b1 + j]));
    const a = z.map((value) => Math.max(0, value));
    const logits = Array.from({ length: c }, (_, k) =>
      a.reduce((sum, aj, j) => sum + aj * p[w2 + j * c + k], p[b2 + k]),
    );
    const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
    const delta = logits.map((value, k) => Math.exp(value) / total - (k === label ? 1 : 0));
    for (let k = 0; k < c; k++) {
      gradient[b2 + k] += delta[k];
      for (let j = 0; j < h; j++) gradient[w2 + j * c + k] += a[j] * delta[k];
    }
    for (let j = 0; j < h; j++) {
      if (z[j] <= 0) continue;
      const back = delta.reduce((sum, dk, k) => sum + dk * p[w2 + j * c + k], 0);
      gradient[b1 + j] += back;
      for (let i = 0; i < d; i++) gradient[w1 + i * h + j] += x[i] * back;
    }
  }
  return p.map((value, i) => value - (learningRate / labels.length) * gradient[i]);
}
