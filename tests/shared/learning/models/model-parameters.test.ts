import { initializers } from "@tensorflow/tfjs-layers";
import { describe, expect, it } from "vitest";
import { MODELS, type ModelDefinition } from "../../../../shared/learning/models/index.ts";
import { initialParameters, parameterManifestFor } from "../../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";

function dense(
  options: Partial<Parameters<Parameters<ModelDefinition["createModel"]>[0]["layers"]["dense"]>[0]>,
): ModelDefinition {
  return {
    name: "test",
    title: "Test",
    inputShape: [300],
    outputs: 100,
    loss: "softmaxCrossEntropy",
    createModel: (tf) =>
      tf.sequential({ layers: [tf.layers.dense({ name: "layer", units: 100, inputShape: [300], ...options })] }),
  };
}

const draw = (definition: ModelDefinition, seed = 1) => initialParameters(definition, seededRandom(seed, "initial"));

describe("the model zoo", () => {
  // McMahan et al. 2017, section 3, give the last two counts.
  it.each([
    ["softmax", 7_850],
    ["2nn", 199_210],
    ["cnn", 1_663_370],
    ["mobile-cnn", 9_610],
    ["lstm", 81_104],
  ])("%s has %i parameters", (name, size) => {
    expect(parameterManifestFor(MODELS.get(name)!).size).toBe(size);
  });

  it("names parameters the same each time a process builds the model", () => {
    const definition = MODELS.get("cnn")!;
    const first = parameterManifestFor(definition);
    expect(parameterManifestFor(definition)).toEqual(first);
    expect(first.tensors.map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
      "conv1/kernel 5x5x1x32",
      "conv1/bias 32",
      "conv2/kernel 5x5x32x64",
      "conv2/bias 64",
      "hidden/kernel 3136x512",
      "hidden/bias 512",
      "logits/kernel 512x10",
      "logits/bias 10",
    ]);
  });
});

describe("initial parameters", () => {
  it("are drawn from the stream: the same seed gives the same, another seed others", () => {
    const definition = MODELS.get("softmax")!;
    expect(draw(definition, 1)).toEqual(draw(definition, 1));
    expect(draw(definition, 1)).not.toEqual(draw(definition, 2));
  });

  it("are Glorot uniform for kernels, ±√(6 / (fan in + fan out)), and zero for biases", () => {
    const parameters = draw(dense({ kernelInitializer: "glorotUniform" }));
    const kernel = parameters.subarray(0, 30_000);
    const limit = Math.sqrt(6 / 400);
    expect(Math.max(...kernel)).toBeLessThanOrEqual(Math.fround(limit));
    expect(Math.min(...kernel)).toBeGreaterThanOrEqual(-Math.fround(limit));
    const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
    expect(variance / (limit ** 2 / 3)).toBeCloseTo(1, 1);
    expect(parameters.subarray(30_000).every((value) => value === 0)).toBe(true);
  });

  it("count the receptive field of a convolution in its fans", () => {
    const { tensors } = parameterManifestFor(MODELS.get("cnn")!);
    const parameters = draw(MODELS.get("cnn")!);
    const { offset, size } = tensors[2];
    const largest = parameters.subarray(offset, offset + size).reduce((most, value) => Math.max(most, value), 0);
    expect(largest / Math.sqrt(6 / (25 * (32 + 64)))).toBeCloseTo(1, 2);
  });

  it("follow what a layer declares", () => {
    const parameters = draw(dense({ kernelInitializer: "heNormal", biasInitializer: "ones" }));
    const kernel = parameters.subarray(0, 30_000);
    const deviation = Math.sqrt(2 / 300);
    expect(Math.max(...kernel)).toBeLessThanOrEqual(2 * deviation + 1e-6);
    // A normal cut at two deviations has 0.774 of its variance.
    const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
    expect(variance / (0.774 * deviation ** 2)).toBeCloseTo(1, 1);
    expect(parameters.subarray(30_000).every((value) => value === 1)).toBe(true);
  });

  it.each<[string, Parameters<typeof dense>[0], (kernel: Float32Array) => void]>([
    [
      "random normal",
      { kernelInitializer: initializers.randomNormal({ mean: 3, stddev: 2 }) },
      (kernel) => expect(moments(kernel)).toEqual([expect.closeTo(3, 1), expect.closeTo(4, 0)]),
    ],
    [
      "random uniform",
      { kernelInitializer: initializers.randomUniform({ minval: -3, maxval: 1 }) },
      (kernel) => {
        expect(moments(kernel)).toEqual([expect.closeTo(-1, 1), expect.closeTo(4 / 3, 1)]);
        expect(Math.max(...kernel)).toBeLessThanOrEqual(1);
      },
    ],
    [
      "truncated normal",
      { kernelInitializer: initializers.truncatedNormal({ mean: 1, stddev: 0.5 }) },
      (kernel) => {
        expect(moments(kernel)).toEqual([expect.closeTo(1, 1), expect.closeTo(0.774 * 0.25, 2)]);
        expect(Math.max(...kernel)).toBeLessThanOrEqual(2);
      },
    ],
    [
      "constant",
      { kernelInitializer: initializers.constant({ value: 0.25 }) },
      (kernel) => expect(kernel.every((value) => value === 0.25)).toBe(true),
    ],
  ])("draw %s with its own mean and spread", (_, options, check) => {
    check(draw(dense(options)).subarray(0, 30_000));
  });

  it("make orthonormal vectors of the shorter side, times the gain", () => {
    for (const [inputs, units] of [
      [12, 30],
      [30, 12],
    ] as const) {
      const definition: ModelDefinition = {
        ...dense({}),
        inputShape: [inputs],
        outputs: units,
        createModel: (tf) => {
          const kernelInitializer = initializers.orthogonal({ gain: 2 });
          return tf.sequential({
            layers: [tf.layers.dense({ name: "layer", units, kernelInitializer, inputShape: [inputs] })],
          });
        },
      };
      const kernel = draw(definition);
      const short = Math.min(inputs, units);
      const entry = (vector: number, k: number) =>
        inputs < units ? kernel[vector * units + k] : kernel[k * units + vector];
      for (let a = 0; a < short; a++) {
        for (let b = 0; b <= a; b++) {
          let product = 0;
          for (let k = 0; k < Math.max(inputs, units); k++) product += entry(a, k) * entry(b, k);
          expect(product).toBeCloseTo(a === b ? 4 : 0, 5);
        }
      }
    }
  });

  it("give an LSTM's forget gate a bias of one, and its recurrent kernel orthonormal rows", () => {
    const units = 4;
    const definition: ModelDefinition = {
      ...dense({}),
      inputShape: [5, 3],
      outputs: units,
      createModel: (tf) =>
        tf.sequential({ layers: [tf.layers.lstm({ name: "layer", units, unitForgetBias: true, inputShape: [5, 3] })] }),
    };
    const { tensors } = parameterManifestFor(definition);
    const parameters = draw(definition);
    expect(tensors.map(({ name }) => name)).toEqual(["layer/kernel", "layer/recurrent_kernel", "layer/bias"]);
    const [, recurrent, bias] = tensors.map(({ offset, size }) => parameters.subarray(offset, offset + size));
    expect([...bias]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(recurrent.subarray(0, 16).reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
  });
});

function moments(values: Float32Array): [mean: number, variance: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
}
