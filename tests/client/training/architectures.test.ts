import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrainingTask } from "../../../client/training/trainer.ts";
import { withCpuBackend } from "../../../shared/learning/models/backend-scope.ts";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import type { TfLayers } from "../../../shared/learning/models/model-definition.ts";
import { bothEngines, type Layer, sequentialModel } from "./layer-fixtures.ts";

type MakeLayer = (l: TfLayers["layers"]) => Layer;

const padding = fc.constantFrom("same", "valid");
const activation = fc.constantFrom("relu", "tanh", "elu", "sigmoid", "softplus", "swish");
const small = fc.integer({ min: 1, max: 3 });

/** Layers that take images of 3 × 3 and more, and leave some; what one leaves may be too small for the next. */
const imageLayer: fc.Arbitrary<MakeLayer> = fc.oneof(
  fc
    .record({
      filters: small,
      kernelSize: fc.tuple(small, small),
      strides: fc.tuple(small, small),
      padding,
      activation,
    })
    .map(
      (options): MakeLayer =>
        (l) =>
          l.conv2d({ ...options, biasInitializer: "randomNormal" }),
    ),
  fc.record({ kernelSize: small, depthMultiplier: fc.integer({ min: 1, max: 2 }), padding, activation }).map(
    (options): MakeLayer =>
      (l) =>
        l.depthwiseConv2d(options),
  ),
  fc.record({ filters: small, kernelSize: fc.integer({ min: 1, max: 2 }), dilationRate: fc.constant(2), padding }).map(
    (options): MakeLayer =>
      (l) =>
        l.conv2d(options),
  ),
  fc.record({ poolSize: fc.tuple(small, small), strides: fc.tuple(small, small), padding }).map(
    (options): MakeLayer =>
      (l) =>
        l.averagePooling2d(options),
  ),
  fc.record({ poolSize: fc.tuple(small, small), strides: fc.tuple(small, small), padding }).map(
    (options): MakeLayer =>
      (l) =>
        l.maxPooling2d(options),
  ),
  fc.constant<MakeLayer>((l) => l.batchNormalization({})),
  fc.constant<MakeLayer>((l) => l.layerNormalization({})),
  fc.constant<MakeLayer>((l) => l.dropout({ rate: 0.3 })),
  activation.map(
    (name): MakeLayer =>
      (l) =>
        l.activation({ activation: name }),
  ),
);

const sequenceLayer: fc.Arbitrary<MakeLayer> = fc.oneof(
  fc.record({ units: small, goBackwards: fc.boolean(), useBias: fc.boolean() }).map(
    (options): MakeLayer =>
      (l) =>
        l.lstm({ ...options, returnSequences: true }),
  ),
  fc.record({ units: small, dropout: fc.constantFrom(0, 0.3) }).map(
    (options): MakeLayer =>
      (l) =>
        l.gru({ ...options, returnSequences: true }),
  ),
  fc.record({ filters: small, kernelSize: small, padding, activation }).map(
    (options): MakeLayer =>
      (l) =>
        l.conv1d(options),
  ),
  fc.record({ units: small, activation }).map(
    (options): MakeLayer =>
      (l) =>
        l.dense(options),
  ),
  fc.constant<MakeLayer>((l) => l.layerNormalization({})),
);

const task: fc.Arbitrary<Partial<TrainingTask>> = fc.record(
  {
    optimizer: fc.record({
      kind: fc.constant("momentum" as const),
      momentum: fc.constant(0.9),
      nesterov: fc.boolean(),
    }),
    weightDecay: fc.constant(0.01),
    gradientClip: fc.constantFrom(0.1, 10),
    proximalMu: fc.constant(0.1),
  },
  { requiredKeys: [] },
);

/** Whether something is left of the input after every layer. */
function isBuildable(definition: ModelDefinition): boolean {
  try {
    return withCpuBackend(() => {
      const model = buildModel(definition);
      const shapes = model.layers.map((layer) => layer.outputShape as (number | null)[]);
      model.dispose();
      return shapes.every((shape) => shape.every((length) => length !== 0));
    });
  } catch {
    return false;
  }
}

describe("any small architecture", () => {
  it.each([
    ["of images", [7, 6, 2], imageLayer, 20],
    ["of sequences", [6, 2], sequenceLayer, 5],
  ] as const)("%s moves alike on both engines", async (_, inputShape, layer, numRuns) => {
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 3 }), task, async (layersOf, options) => {
        const definition = sequentialModel(inputShape, (l) => [
          l.inputLayer({ inputShape: [...inputShape] }),
          ...layersOf.map((make) => make(l)),
          l.dense({ units: 3 }),
        ]);
        fc.pre(isBuildable(definition));
        const { distance, onnx, tfjs } = await bothEngines(definition, 5, 3, options);
        expect(distance).toBeLessThanOrEqual(1e-4);
        expect(onnx.lossSum / tfjs.lossSum).toBeCloseTo(1, 4);
      }),
      { numRuns, seed: 20 },
    );
  });
});
