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

  it("refuse an initialiser that has no seeded form, by the weight's name", () => {
    expect(() => draw(dense({ kernelInitializer: "truncatedNormal" }))).toThrow(/layer\/kernel.*TruncatedNormal/);
  });
});
