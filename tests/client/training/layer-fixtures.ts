import type { layers } from "@tensorflow/tfjs-layers";
import { createOnnxTrainer } from "../../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../../client/training/tfjs/trainer.ts";
import type { TrainingTask } from "../../../client/training/trainer.ts";
import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/index.ts";
import type { TfLayers } from "../../../shared/learning/models/model-definition.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { startingPoint, syntheticImages, updateDistance } from "./training-fixtures.ts";

export type Layer = layers.Layer;

/** Layers by the name a failing test is known by. */
export type LayerCase = readonly [name: string, layers: (tf: TfLayers["layers"]) => Layer[]];

export function sequentialModel(
  inputShape: readonly number[],
  layers: (tf: TfLayers["layers"]) => Layer[],
  outputs = 3,
): ModelDefinition {
  return {
    name: "test",
    title: "Test",
    inputShape,
    outputs,
    loss: "softmaxCrossEntropy",
    createModel: (tf) => {
      const model = tf.sequential();
      const list = layers(tf.layers);
      for (const [i, layer] of list.entries()) {
        // The last layer takes vectors.
        const isLast = i > 0 && i === list.length - 1;
        if (isLast && (model.outputs[0].shape.length ?? 0) > 2) model.add(tf.layers.flatten());
        model.add(layer);
      }
      return model;
    },
  };
}

/** Trains for an epoch on both engines from the same point, and evaluates that point on both. */
export async function bothEngines(
  definition: ModelDefinition,
  count: number,
  batchSize: number,
  { examples = syntheticImages(definition, count), ...options }: Partial<TrainingTask> & { examples?: Examples } = {},
) {
  const start = startingPoint(definition);
  const task = { epochs: 1, batchSize, learningRate: 0.1, ...options };
  const onnx = await createOnnxTrainer(definition);
  const tfjs = await createTfjsTrainer(definition);
  const a = await onnx.train(start, examples, task, seededRandom(1, "order"));
  const b = await tfjs.train(start, examples, task, seededRandom(1, "order"));
  const evaluations = [await onnx.evaluate(start, examples), await tfjs.evaluate(start, examples)];
  await onnx.dispose();
  await tfjs.dispose();
  return { start, onnx: a, tfjs: b, distance: updateDistance(start, a.parameters, b.parameters), evaluations };
}
