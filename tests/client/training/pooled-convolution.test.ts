import { describe, expect, it } from "vitest";
import { graphBuilder } from "../../../client/training/onnx/graph-builder.ts";
import { convolutionGeometry } from "../../../client/training/onnx/kernels/convolution-geometry.ts";
import { spatialConvolution } from "../../../client/training/onnx/kernels/spatial-convolution.ts";
import { winogradPlan } from "../../../client/training/onnx/kernels/winograd.ts";
import type { TfLayers } from "../../../shared/learning/models/model-definition.ts";
import { bothEngines, type Layer, sequentialModel } from "./layer-fixtures.ts";

/** Images with empty borders, where windows of equal values abound. */
describe.each([
  ["few channels", [8, 8, 1], 6, 3],
  ["Winograd's algorithm", [8, 10, 8], 16, 3],
  ["Winograd's algorithm, a filter of 5 × 5", [10, 10, 16], 16, 5],
  ["Winograd's algorithm, tiles beyond the image", [6, 14, 8], 12, 5],
] as const)("2 × 2 pools of a convolution by %s", (method, inputShape, filters, kernelSize) => {
  const g = convolutionGeometry([4, ...inputShape], [kernelSize, kernelSize, inputShape[2], filters], {
    strides: [1, 1],
    pad: "same",
  });

  it("are folded with it", () => {
    const chosen = spatialConvolution(g, graphBuilder());
    expect(chosen?.poolable).toBe(true);
    expect(chosen?.inputGradient !== undefined).toBe(method !== "few channels");
    if (method !== "few channels") expect(winogradPlan(g)).toBeDefined();
  });

  it.each<[string, (layers: TfLayers["layers"]) => Layer[]]>([
    ["ReLU and bias", (l) => [l.conv2d({ filters, kernelSize, padding: "same", activation: "relu" })]],
    ["a bias alone", (l) => [l.conv2d({ filters, kernelSize, padding: "same" })]],
    ["neither", (l) => [l.conv2d({ filters, kernelSize, padding: "same", useBias: false })]],
    ["tanh, which is not", (l) => [l.conv2d({ filters, kernelSize, padding: "same", activation: "tanh" })]],
    [
      "a layer before it, which needs its input's gradient",
      (l) => [
        l.conv2d({ filters: inputShape[2], kernelSize: 1, activation: "relu" }),
        l.conv2d({ filters, kernelSize, padding: "same", activation: "relu" }),
      ],
    ],
  ])("with %s train as in tfjs", async (_, layers) => {
    const definition = sequentialModel([...inputShape], (l) => [
      l.inputLayer({ inputShape: [...inputShape] }),
      ...layers(l),
      l.maxPooling2d({ poolSize: 2 }),
      l.flatten(),
      l.dense({ units: 3 }),
    ]);
    const { distance, evaluations } = await bothEngines(definition, 4, 4);
    expect(distance).toBeLessThanOrEqual(1e-5);
    expect(evaluations[0].lossSum).toBeCloseTo(evaluations[1].lossSum, 4);
  });
});
