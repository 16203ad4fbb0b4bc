import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { probabilities } from "../../../client/training/loss.ts";
import { compileInference } from "../../../client/training/onnx/export.ts";
import { withCpuBackend } from "../../../shared/learning/models/backend-scope.ts";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import { MODELS, type ModelDefinition, modelFor } from "../../../shared/learning/models/index.ts";
import { parameterManifestOf } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { sequentialModel } from "./layer-fixtures.ts";
import { startingPoint, syntheticExamples } from "./training-fixtures.ts";

/** What tfjs predicts, by the model itself. */
function predictions(definition: ModelDefinition, parameters: ParameterVector, inputs: Float32Array, count: number) {
  return withCpuBackend(() =>
    tf.tidy(() => {
      const model = buildModel(definition) as LayersModel;
      for (const [i, { offset, size, shape }] of parameterManifestOf(model).tensors.entries()) {
        model.weights[i].write(tf.tensor(parameters.slice(offset, offset + size), [...shape], "float32"));
      }
      const output = model.predict(tf.tensor(inputs, [count, ...definition.inputShape], "float32")) as tf.Tensor2D;
      const values = probabilities(definition, output).dataSync();
      model.dispose();
      return values;
    }),
  );
}

async function expectSamePredictions(definition: ModelDefinition, counts: readonly number[]) {
  const parameters = startingPoint(definition);
  const exported = compileInference(definition, parameters);
  const { bytes, input, output } = exported;
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  expect(session.inputNames).toEqual([input.name]);
  expect(session.outputNames).toEqual([output.name]);
  for (const count of input.shape[0] === "batch" ? counts : [1]) {
    const { inputs } = syntheticExamples(definition, count);
    const tensor = new ort.Tensor("float32", inputs, [count, ...definition.inputShape]);
    const result = (await session.run({ [input.name]: tensor }))[output.name];
    expect(result.dims).toEqual([count, definition.outputs]);
    const expected = predictions(definition, parameters, inputs, count);
    for (const [i, value] of (result.data as Float32Array).entries()) expect(value).toBeCloseTo(expected[i], 5);
  }
  await session.release();
  return exported;
}

const zoo: readonly [string, ModelDefinition][] = [
  ...MODELS,
  ["logistic", modelFor("logistic", { inputShape: [5], labels: "classes", outputs: 3 })],
  ["linear", modelFor("linear", { inputShape: [5], labels: "targets", outputs: 2 })],
];

describe("a trained model as ONNX", () => {
  it.each(zoo)(
    "%s predicts in ONNX Runtime what it predicts in tfjs, for any number of examples",
    async (_, definition) => {
      const counts = definition.name === "cnn" ? [1, 2] : [1, 7];
      const { input, output } = await expectSamePredictions(definition, counts);
      expect(input.shape).toEqual(["batch", ...definition.inputShape]);
      expect(output.name).toBe(definition.loss === "meanSquaredError" ? "values" : "probabilities");
    },
  );

  it("is probabilities, which sum to one, also of a model that ends in softmax; and of a sigmoid each its own", async () => {
    const definition = sequentialModel([4], (l) => [l.dense({ units: 3, activation: "softmax", inputShape: [4] })]);
    const { bytes } = await expectSamePredictions(definition, [1, 6]);
    const session = await ort.InferenceSession.create(bytes);
    const { probabilities: result } = await session.run({
      examples: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [1, 4]),
    });
    expect([...(result.data as Float32Array)].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    await expectSamePredictions({ ...definition, loss: "sigmoidCrossEntropy" }, [5]);
  });

  it("holds the parameters under their names, and takes no dropout with it", async () => {
    const definition = sequentialModel([6, 2], (l) => [
      l.gru({ name: "memory", units: 3, inputShape: [6, 2] }),
      l.dropout({ rate: 0.9 }),
      l.dense({ name: "logits", units: 3 }),
    ]);
    const { bytes } = await expectSamePredictions(definition, [1, 4]);
    const text = Buffer.from(bytes).toString("latin1");
    for (const name of ["memory/recurrent_kernel", "logits/bias"]) expect(text).toContain(name);
  });

  it("averages and pools as tfjs does at the borders", async () => {
    const definition = sequentialModel([7, 7, 2], (l) => [
      l.conv2d({ filters: 3, kernelSize: 3, padding: "same", strides: 2, activation: "relu", inputShape: [7, 7, 2] }),
      l.averagePooling2d({ poolSize: 3, strides: 1, padding: "same" }),
      l.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2 }),
      l.maxPooling2d({ poolSize: 2, strides: 1, padding: "same" }),
      l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 }),
      l.dense({ units: 3 }),
    ]);
    await expectSamePredictions(definition, [1, 5]);
  });
});
