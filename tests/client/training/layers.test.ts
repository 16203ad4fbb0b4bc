import * as tf from "@tensorflow/tfjs-core";
import * as tfLayers from "@tensorflow/tfjs-layers";
import { describe, expect, it } from "vitest";
import { fillNoise } from "../../../client/training/noise.ts";
import { compileSteps } from "../../../client/training/onnx/compile.ts";
import { traceStep } from "../../../client/training/onnx/trace.ts";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { stepRule } from "../../../client/training/optimizer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import type { TfLayers } from "../../../shared/learning/models/model-definition.ts";
import { parameterManifestFor } from "../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { bothEngines, type LayerCase, sequentialModel } from "./layer-fixtures.ts";
import { startingPoint, syntheticImages } from "./training-fixtures.ts";

/** The layers between an input of this shape and three logits: one epoch of three batches on both engines. */
async function expectAgreement(inputShape: readonly number[], layersOf: LayerCase[1], tolerance = 1e-5) {
  const definition = sequentialModel(inputShape, (l) => {
    return [l.inputLayer({ inputShape: [...inputShape] }), ...layersOf(l), l.dense({ units: 3 })];
  });
  const { distance, evaluations, onnx, tfjs } = await bothEngines(definition, 11, 4);
  expect(distance).toBeLessThanOrEqual(tolerance);
  expect(onnx.lossSum / tfjs.lossSum).toBeCloseTo(1, 5);
  expect(evaluations[0].lossSum / evaluations[1].lossSum).toBeCloseTo(1, 5);
}

const activations = [
  "relu",
  "relu6",
  "elu",
  "selu",
  "gelu",
  "gelu_new",
  "softplus",
  "softsign",
  "swish",
  "mish",
  "hardSigmoid",
  "sigmoid",
  "tanh",
  "softmax",
  "linear",
] as const;

describe("activations", () => {
  it.each(activations)("%s", async (activation) => {
    await expectAgreement([6], (l) => [l.dense({ units: 8, activation })]);
  });

  it.each<LayerCase>([
    ["a leaky ReLU", (l) => [l.dense({ units: 8 }), l.leakyReLU({ alpha: 0.2 })]],
    ["a parametric ReLU", (l) => [l.dense({ units: 8 }), l.prelu({ alphaInitializer: "randomUniform" })]],
    ["ReLU with a ceiling", (l) => [l.dense({ units: 8 }), l.reLU({ maxValue: 0.3 })]],
    ["ELU", (l) => [l.dense({ units: 8 }), l.elu({ alpha: 1 })]],
    ["softmax", (l) => [l.dense({ units: 8 }), l.softmax()]],
  ])("%s as a layer", async (_, layersOf) => {
    await expectAgreement([6], layersOf);
  });
});

describe("convolutions", () => {
  it.each<LayerCase>([
    [
      "dilated",
      (l) => [l.conv2d({ filters: 3, kernelSize: 2, dilationRate: 2 }), l.conv2d({ filters: 2, kernelSize: 2 })],
    ],
    [
      "dilated and padded",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: "same" }),
        l.conv2d({ filters: 2, kernelSize: 3, dilationRate: [1, 2], padding: "same" }),
      ],
    ],
    ["strides that differ", (l) => [l.conv2d({ filters: 3, kernelSize: 3, strides: [2, 1], padding: "same" })]],
    ["transposed", (l) => [l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: "same" })]],
    ["depthwise", (l) => [l.depthwiseConv2d({ kernelSize: 3 }), l.depthwiseConv2d({ kernelSize: 2, padding: "same" })]],
    [
      "depthwise, two channels each, stride 2",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 1 }),
        l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, strides: 2, padding: "same" }),
        l.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2 }),
      ],
    ],
    [
      "depthwise, dilated",
      (l) => [
        l.conv2d({ filters: 3, kernelSize: 1 }),
        l.depthwiseConv2d({ kernelSize: 3, dilationRate: 2, padding: "same" }),
      ],
    ],
    [
      "separable",
      (l) => [
        l.separableConv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
        l.separableConv2d({ filters: 4, kernelSize: 3, strides: 2, depthMultiplier: 2 }),
      ],
    ],
    [
      "padding as a layer",
      (l) => [
        l.zeroPadding2d({
          padding: [
            [1, 0],
            [0, 2],
          ],
        }),
        l.conv2d({ filters: 2, kernelSize: 3 }),
      ],
    ],
    [
      "cropped",
      (l) => [
        l.conv2d({ filters: 2, kernelSize: 1 }),
        l.cropping2D({
          cropping: [
            [1, 0],
            [0, 2],
          ],
        }),
      ],
    ],
  ])("%s", async (_, layersOf) => {
    await expectAgreement([6, 6, 2], layersOf);
  });

  it.each<LayerCase>([
    [
      "of a sequence",
      (l) => [l.conv1d({ filters: 4, kernelSize: 3, activation: "relu" }), l.conv1d({ filters: 2, kernelSize: 2 })],
    ],
    ["of a sequence, strided", (l) => [l.conv1d({ filters: 4, kernelSize: 3, strides: 2, padding: "same" })]],
    ["pooled by maximum", (l) => [l.conv1d({ filters: 4, kernelSize: 3 }), l.maxPooling1d({ poolSize: 2 })]],
    [
      "pooled by average",
      (l) => [l.conv1d({ filters: 4, kernelSize: 3 }), l.averagePooling1d({ poolSize: 2, strides: 1 })],
    ],
    ["pooled globally by maximum", (l) => [l.conv1d({ filters: 4, kernelSize: 3 }), l.globalMaxPooling1d()]],
    ["pooled globally by average", (l) => [l.conv1d({ filters: 4, kernelSize: 3 }), l.globalAveragePooling1d({})]],
  ])("%s", async (_, layersOf) => {
    await expectAgreement([8, 3], layersOf);
  });
});

describe("pooling", () => {
  it.each<LayerCase>([
    ["average, tiling", (l) => [l.averagePooling2d({ poolSize: 2 })]],
    ["average, overlapping", (l) => [l.averagePooling2d({ poolSize: 3, strides: 1 })]],
    ["average, strides below the window", (l) => [l.averagePooling2d({ poolSize: [3, 2], strides: [2, 1] })]],
    ["average, padded", (l) => [l.averagePooling2d({ poolSize: 3, strides: 2, padding: "same" })]],
    ["average, padded, overlapping", (l) => [l.averagePooling2d({ poolSize: 3, strides: 1, padding: "same" })]],
    ["global average", (l) => [l.globalAveragePooling2d({})]],
    ["global maximum", (l) => [l.globalMaxPooling2d({})]],
  ])("%s", async (_, layersOf) => {
    await expectAgreement([6, 5, 2], (l) => [
      l.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "tanh" }),
      ...layersOf(l),
    ]);
  });

  it("shares a padded average's gradient among the pixels that it averages, as differences of the loss have it", async () => {
    const definition = sequentialModel([7, 7, 1], (l) => [
      l.conv2d({ name: "scale", filters: 1, kernelSize: 1, useBias: false, inputShape: [7, 7, 1] }),
      l.averagePooling2d({ poolSize: 2, strides: 2, padding: "same" }),
      l.flatten(),
      l.dense({ name: "logits", units: 3 }),
    ]);
    const { start, onnx, tfjs } = await bothEngines(definition, 2, 2, { learningRate: 1e-2 });
    const trainer = await createOnnxTrainer(definition);
    const moved = async (by: number) => {
      const parameters = start.slice();
      parameters[0] += by;
      return (await trainer.evaluate(parameters, syntheticImages(definition, 2))).lossSum / 2;
    };
    const slope = ((await moved(0.01)) - (await moved(-0.01))) / 0.02;
    await trainer.dispose();
    for (const { parameters } of [onnx, tfjs]) {
      expect((parameters[0] - start[0]) / (-1e-2 * slope)).toBeCloseTo(1, 2);
    }
  });
});

describe("normalisation", () => {
  it.each<LayerCase>([
    [
      "batch, of units",
      (l) => [l.dense({ units: 6 }), l.batchNormalization({ momentum: 0.9 }), l.activation({ activation: "relu" })],
    ],
    [
      "batch, of channels",
      (l) => [
        l.reshape({ targetShape: [4, 2, 2] }),
        l.conv2d({ filters: 3, kernelSize: 2 }),
        l.batchNormalization({}),
        l.activation({ activation: "relu" }),
      ],
    ],
    ["layer", (l) => [l.dense({ units: 6 }), l.layerNormalization({}), l.activation({ activation: "relu" })]],
    ["layer, of images", (l) => [l.reshape({ targetShape: [4, 2, 2] }), l.layerNormalization({ axis: [1, 2, 3] })]],
    [
      "layer, without scale and centre",
      (l) => [l.dense({ units: 6 }), l.layerNormalization({ scale: false, center: false })],
    ],
  ])("%s", async (_, layersOf) => {
    await expectAgreement([16], layersOf, 3e-5);
  });

  it("by groups of channels, composed of operations in a layer of one's own", async () => {
    await expectAgreement([4, 4, 6], () => [new GroupNormalization({ groups: 3 })], 3e-5);
  });
});

/** Wu and He 2018 (arXiv 1803.08494): tf.layers has none, a person writes it so. */
class GroupNormalization extends tfLayers.layers.Layer {
  static className = "GroupNormalization";
  private readonly groups: number;
  private gamma!: ReturnType<tfLayers.layers.Layer["addWeight"]>;

  constructor({ groups }: { groups: number }) {
    super({});
    this.groups = groups;
  }

  override build(shape: number[]) {
    this.gamma = this.addWeight("gamma", [shape[3]], "float32", tfLayers.initializers.ones());
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]) {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      const [n, height, width, channels] = x.shape;
      const grouped = tf.reshape(x, [n, height, width, this.groups, channels / this.groups]);
      const { mean, variance } = tf.moments(grouped, [1, 2, 4], true);
      const normal = tf.div(tf.sub(grouped, mean), tf.sqrt(tf.add(variance, 1e-5)));
      return tf.mul(tf.reshape(normal, [n, height, width, channels]), this.gamma.read());
    });
  }
}

describe("recurrent layers", () => {
  it.each<LayerCase>([
    ["LSTM", (l) => [l.lstm({ units: 4 })]],
    ["LSTM, sequences", (l) => [l.lstm({ units: 4, returnSequences: true }), l.lstm({ units: 3 })]],
    [
      "LSTM, backwards, sigmoid gates",
      (l) => [l.lstm({ units: 4, goBackwards: true, recurrentActivation: "sigmoid" })],
    ],
    ["GRU", (l) => [l.gru({ units: 4 })]],
    ["GRU, sequences, no bias", (l) => [l.gru({ units: 4, returnSequences: true, useBias: false })]],
    ["simple", (l) => [l.simpleRNN({ units: 4 })]],
    ["a stack of cells", (l) => [l.rnn({ cell: [l.lstmCell({ units: 4 }), l.lstmCell({ units: 3 })] })]],
    [
      "both directions",
      (l) => [l.bidirectional({ layer: l.lstm({ units: 3, returnSequences: true }), mergeMode: "concat" })],
    ],
    ["a dense layer at every step", (l) => [l.timeDistributed({ layer: l.dense({ units: 2 }) })]],
    ["masked steps", (l) => [l.masking({ maskValue: 0 }), l.lstm({ units: 3 })]],
    ["dropout on input and state", (l) => [l.lstm({ units: 4, dropout: 0.3, recurrentDropout: 0.3 })]],
  ])("%s", async (_, layersOf) => {
    await expectAgreement([5, 3], layersOf);
  });
});

describe("a recurrent layer over many steps", () => {
  const over = (steps: number) =>
    sequentialModel([steps, 2], (l) => [l.lstm({ units: 2, inputShape: [steps, 2] }), l.dense({ units: 3 })]);

  it("is compiled however long its chain of steps is", async () => {
    const { distance, evaluations } = await bothEngines(over(200), 2, 2);
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(evaluations[0].lossSum / evaluations[1].lossSum).toBeCloseTo(1, 5);
  });

  it("has one product for the gradient of each weight, and not one a step", () => {
    const definition = over(6);
    const rule = stepRule({ epochs: 1, batchSize: 4, learningRate: 0.1, gradientClip: 1 });
    const graph = compileSteps(traceStep(definition, 4, rule), 4, 1, definition);
    const gradients = graph.nodes.filter(({ op, attributes }) => op === "Gemm" && attributes.transA === 1);
    expect(gradients.length).toBe(3);
  });
});

describe("embedding", () => {
  const tokens = (count: number, length: number, vocabulary: number): Examples => {
    const random = seededRandom(1, "tokens");
    return {
      inputs: Float32Array.from({ length: count * length }, () => random.below(vocabulary)),
      labels: Int32Array.from({ length: count }, () => random.below(3)),
      inputShape: [length],
      count,
    };
  };

  it.each<LayerCase>([
    ["looks vectors up, and sums the gradients of a token that occurs often", (l) => [l.flatten()]],
    ["before an LSTM", (l) => [l.lstm({ units: 4 })]],
  ])("%s", async (_, layersOf) => {
    const definition = sequentialModel([6], (l) => [
      l.embedding({ inputDim: 7, outputDim: 3, inputLength: 6 }),
      ...layersOf(l),
      l.dense({ units: 3 }),
    ]);
    const { distance } = await bothEngines(definition, 11, 4, { examples: tokens(11, 6, 7) });
    expect(distance).toBeLessThanOrEqual(1e-5);
  });

  it("masks token zero where it is told to", async () => {
    const definition = sequentialModel([6], (l) => [
      l.embedding({ inputDim: 7, outputDim: 3, inputLength: 6, maskZero: true }),
      l.lstm({ units: 4 }),
      l.dense({ units: 3 }),
    ]);
    const { distance } = await bothEngines(definition, 11, 4, { examples: tokens(11, 6, 7) });
    expect(distance).toBeLessThanOrEqual(1e-5);
  });
});

describe("noise", () => {
  it.each<LayerCase>([
    ["dropout", (l) => [l.dense({ units: 12 }), l.dropout({ rate: 0.4 })]],
    [
      "dropout with a shape of its own",
      (l) => [l.reshape({ targetShape: [3, 2] }), l.dropout({ rate: 0.5, noiseShape: [null as never, 1, 2] })],
    ],
    ["spatial dropout", (l) => [l.reshape({ targetShape: [3, 2] }), l.spatialDropout1d({ rate: 0.5 })]],
    ["Gaussian noise", (l) => [l.dense({ units: 6 }), l.gaussianNoise({ stddev: 0.3 })]],
    ["Gaussian dropout", (l) => [l.dense({ units: 6 }), l.gaussianDropout({ rate: 0.3 })]],
    [
      "dropout at every step",
      (l) => [l.reshape({ targetShape: [3, 2] }), l.timeDistributed({ layer: l.dropout({ rate: 0.5 }) })],
    ],
  ])("%s is the same on both engines", async (_, layersOf) => {
    await expectAgreement([6], layersOf);
  });

  it("is drawn from the training's stream: the same gives the same, another something else; evaluation draws none", async () => {
    const definition = sequentialModel([6], (l) => [
      l.dense({ units: 12, inputShape: [6] }),
      l.dropout({ rate: 0.4 }),
      l.dense({ units: 3 }),
    ]);
    const examples = syntheticImages(definition, 1);
    const start = startingPoint(definition);
    for (const create of [createOnnxTrainer, createTfjsTrainer]) {
      const trainer = await create(definition);
      const train = (stream: string) =>
        trainer.train(start, examples, { epochs: 3, batchSize: 1, learningRate: 0.1 }, seededRandom(1, stream));
      const [first, again, other] = [await train("a"), await train("a"), await train("b")];
      expect(again).toEqual(first);
      expect(other.parameters).not.toEqual(first.parameters);
      expect(await trainer.evaluate(start, examples)).toEqual(await trainer.evaluate(start, examples));
      await trainer.dispose();
    }
  });

  it("is the same on both engines over several epochs, whose orders come from the same stream", async () => {
    const definition = sequentialModel([6], (l) => [
      l.dense({ units: 12, inputShape: [6] }),
      l.dropout({ rate: 0.4 }),
      l.dense({ units: 3 }),
    ]);
    const { distance, onnx, tfjs } = await bothEngines(definition, 7, 3, { epochs: 3 });
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(onnx.lossSum / tfjs.lossSum).toBeCloseTo(1, 5);
  });

  it("of inverted dropout keeps the mean: a unit is zero or divided by what is kept", () => {
    const values = new Float32Array(20_000);
    fillNoise({ shape: [20_000], draws: { kind: "mask", rate: 0.4 } }, values, seededRandom(1, "mask"));
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.6)]));
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(1, 1);
  });
});

describe("models that branch", () => {
  it.each<[string, (l: TfLayers["layers"], a: tfLayers.SymbolicTensor, b: tfLayers.SymbolicTensor) => unknown]>([
    ["add", (l, a, b) => l.add().apply([a, b])],
    ["multiply", (l, a, b) => l.multiply().apply([a, b])],
    ["average", (l, a, b) => l.average().apply([a, b])],
    ["maximum", (l, a, b) => l.maximum().apply([a, b])],
    ["minimum", (l, a, b) => l.minimum().apply([a, b])],
    ["concatenate", (l, a, b) => l.concatenate().apply([a, b])],
    ["dot", (l, a, b) => l.dot({ axes: 1 }).apply([a, b])],
    [
      "one layer twice",
      (l, a) => {
        const shared = l.dense({ units: 5, activation: "tanh" });
        return shared.apply(shared.apply(a) as tfLayers.SymbolicTensor);
      },
    ],
  ])("by %s", async (_, merge) => {
    const definition: ModelDefinition = {
      ...sequentialModel([6], () => []),
      createModel: ({ layers: l, ...tf }) => {
        const input = tfLayers.input({ shape: [6] });
        const a = l.dense({ units: 5, activation: "tanh" }).apply(input) as tfLayers.SymbolicTensor;
        const b = l.dense({ units: 5, activation: "sigmoid" }).apply(input) as tfLayers.SymbolicTensor;
        const merged = merge(l, a, b) as tfLayers.SymbolicTensor;
        return tf.model({ inputs: input, outputs: l.dense({ units: 3 }).apply(merged) as tfLayers.SymbolicTensor });
      },
    };
    const { distance } = await bothEngines(definition, 11, 4);
    expect(distance).toBeLessThanOrEqual(1e-5);
  });

  it.each<LayerCase>([
    ["permuted", (l) => [l.reshape({ targetShape: [3, 2] }), l.permute({ dims: [2, 1] }), l.dense({ units: 2 })]],
    ["repeated", (l) => [l.dense({ units: 3 }), l.repeatVector({ n: 4 }), l.dense({ units: 2 })]],
  ])("or are %s", async (_, layersOf) => {
    await expectAgreement([6], layersOf);
  });

  it("may hold models", async () => {
    const definition = sequentialModel([6], () => []);
    const nested: ModelDefinition = {
      ...definition,
      createModel: (tf) => {
        const inner = tf.sequential({
          layers: [tf.layers.dense({ units: 5, inputShape: [6] }), tf.layers.dropout({ rate: 0.2 })],
        });
        return tf.sequential({ layers: [inner, tf.layers.dense({ units: 3 })] });
      },
    };
    const { distance } = await bothEngines(nested, 11, 4);
    expect(distance).toBeLessThanOrEqual(1e-5);
  });
});

describe("regularisers and frozen layers", () => {
  it("of kernels are part of the gradient, and not of the loss that is reported", async () => {
    const plain = sequentialModel([6], (l) => [l.dense({ units: 3, inputShape: [6] })]);
    const regular = {
      ...plain,
      createModel: (tf: TfLayers) =>
        tf.sequential({
          layers: [tf.layers.dense({ units: 3, inputShape: [6], kernelRegularizer: tf.regularizers.l2({ l2: 0.5 }) })],
        }),
    };
    const bare = await bothEngines(plain, 4, 4);
    const { distance, start, onnx } = await bothEngines(regular, 4, 4);
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(onnx.lossSum).toBeCloseTo(bare.onnx.lossSum, 5);
    // η · ∂(½ w²) / ∂w = 0.1 w, on the kernel alone.
    for (let i = 0; i < 21; i++) {
      const expected = bare.onnx.parameters[i] - (i < 18 ? 0.1 * start[i] : 0);
      expect(onnx.parameters[i]).toBeCloseTo(expected, 5);
    }
  });

  it("that are frozen stay as they were, also under decay and with a second buffer", async () => {
    const definition = sequentialModel([6], (l) => [
      l.dense({ units: 5, trainable: false, inputShape: [6] }),
      l.dense({ units: 3 }),
    ]);
    const { start, onnx, distance } = await bothEngines(definition, 11, 4, {
      weightDecay: 0.1,
      optimizer: { kind: "momentum", momentum: 0.9, nesterov: true },
    });
    const { tensors } = parameterManifestFor(definition);
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(tensors.map(({ kind }) => kind).sort()).toEqual(["frozen", "frozen", "trained", "trained"]);
    for (const { kind, offset, size } of tensors) {
      const same = onnx.parameters.subarray(offset, offset + size).every((value, i) => value === start[offset + i]);
      expect(same).toBe(kind === "frozen");
    }
  });
});

describe("batch normalisation's statistics", () => {
  const momentum = 0.8;
  const definition = sequentialModel([2], (l) => [
    l.batchNormalization({ name: "norm", momentum, inputShape: [2] }),
    l.dense({ name: "logits", units: 3 }),
  ]);

  it("are in the manifest as such, move towards the batch's, and neither decay, clip nor proximal term sees them", async () => {
    const { tensors } = parameterManifestFor(definition);
    expect(tensors.filter(({ kind }) => kind === "statistics").map(({ name }) => name)).toEqual([
      "norm/moving_mean",
      "norm/moving_variance",
    ]);
    const options = { weightDecay: 0.5, proximalMu: 0.5, gradientClip: 1e-3, correction: new Float32Array(17).fill(1) };
    const { start, onnx, tfjs, distance } = await bothEngines(definition, 4, 4, options);
    expect(distance).toBeLessThanOrEqual(1e-5);
    const { inputs } = syntheticImages(definition, 4);
    for (const unit of [0, 1]) {
      const column = [0, 1, 2, 3].map((n) => inputs[2 * n + unit]);
      const mean = column.reduce((sum, x) => sum + x, 0) / 4;
      const variance = column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 4;
      for (const { parameters } of [onnx, tfjs]) {
        const [meanAt, varianceAt] = tensors.slice(-2).map(({ offset }) => offset + unit);
        expect(parameters[meanAt]).toBeCloseTo(momentum * start[meanAt] + (1 - momentum) * mean, 5);
        expect(parameters[varianceAt]).toBeCloseTo(momentum * start[varianceAt] + (1 - momentum) * variance, 5);
      }
    }
  });
});
