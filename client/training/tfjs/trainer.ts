import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Examples } from "../../../shared/learning/examples.ts";
import { startBackend, withBackend } from "../../../shared/learning/models/backend-scope.ts";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { parameterManifestOf } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterManifest, ParameterVector } from "../../../shared/learning/parameters.ts";
import { epochBatches } from "../batches.ts";
import { checkParameters, checkTrainable } from "../checks.ts";
import { type BatchOutcome, batchOutcome, labelType } from "../loss.ts";
import type { Trainer } from "../trainer.ts";

const EVALUATION_BATCH = 500;

export interface TfjsEngineOptions {
  /** A tfjs backend that is registered: "cpu", "webgl", "wasm", "tensorflow" with tfjs-node. */
  readonly backend?: string;
  readonly engine?: "tfjs" | "tfjs-node";
}

/** Trains with tfjs itself, on the backend that is named. One call runs at a time; others wait for it. */
export async function createTfjsTrainer(
  definition: ModelDefinition,
  { backend = "cpu", engine = "tfjs" }: TfjsEngineOptions = {},
): Promise<Trainer> {
  await startBackend(backend);
  const model = withBackend(backend, () => buildModel(definition) as LayersModel);
  const manifest = parameterManifestOf(model);
  const inTurn = turnstile();

  /** The figures of some batches, read after all of them were queued on the device. */
  async function totals(outcomes: readonly BatchOutcome[]): Promise<{ lossSum: number; correct: number }> {
    let lossSum = 0;
    let correct = 0;
    for (const { losses, hits } of outcomes) {
      for (const loss of await losses.data()) lossSum += loss;
      for (const hit of await hits.data()) correct += hit;
      tf.dispose([losses, hits]);
    }
    return { lossSum, correct };
  }

  return {
    engine,

    train: (parameters, examples, task, random) =>
      inTurn(async () => {
        checkTrainable(definition, manifest, parameters, examples, task);
        withBackend(backend, () => writeParameters(model, manifest, parameters));
        let outcome = { lossSum: 0, correct: 0 };
        let steps = 0;
        for (let epoch = 0; epoch < task.epochs; epoch++) {
          const batches = epochBatches(examples.count, task.batchSize, random);
          const outcomes = batches.map((batch) =>
            withBackend(backend, () => step(model, definition, selected(examples, batch), task.learningRate)),
          );
          outcome = await totals(outcomes);
          steps += batches.length;
        }
        return { parameters: await readParameters(model, manifest), examples: examples.count, ...outcome, steps };
      }),

    evaluate: (parameters, examples) =>
      inTurn(async () => {
        checkParameters(definition, manifest, parameters, examples);
        withBackend(backend, () => writeParameters(model, manifest, parameters));
        let lossSum = 0;
        let correct = 0;
        for (let start = 0; start < examples.count; start += EVALUATION_BATCH) {
          const part = selected(examples, range(start, Math.min(start + EVALUATION_BATCH, examples.count)));
          const outcome = await totals([withBackend(backend, () => forward(model, definition, part, false))]);
          lossSum += outcome.lossSum;
          correct += outcome.correct;
        }
        return { examples: examples.count, lossSum, correct };
      }),

    dispose: () =>
      inTurn(async () => {
        model.dispose();
      }),
  };
}

/** One step of SGD: w ← w − η ∇ (mean loss). The outcome is of the parameters before it. */
function step(
  model: LayersModel,
  definition: ModelDefinition,
  batch: LabelledBatch,
  learningRate: number,
): BatchOutcome {
  return tf.tidy(() => {
    const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const outcomes: BatchOutcome[] = [];
    const { grads } = tf.variableGrads(() => {
      const outcome = forward(model, definition, batch, true);
      outcomes.push({ losses: tf.keep(outcome.losses), hits: tf.keep(outcome.hits) });
      return tf.mean(outcome.losses) as tf.Scalar;
    }, weights);
    for (const weight of weights) weight.assign(tf.sub(weight, tf.mul(grads[weight.name], learningRate)));
    return outcomes[0];
  });
}

function forward(
  model: LayersModel,
  definition: ModelDefinition,
  { inputs, labels, count }: LabelledBatch,
  training: boolean,
): BatchOutcome {
  return tf.tidy(() => {
    const examples = tf.tensor(inputs, [count, ...definition.inputShape], "float32");
    const output = model.apply(examples, { training }) as tf.Tensor2D;
    const label = labelType(definition);
    return { ...batchOutcome(definition, output, tf.tensor(labels, [count, ...label.shape], label.type)) };
  });
}

type LabelledBatch = Pick<Examples, "inputs" | "labels" | "count">;

/** The examples of these indices: copies, because tfjs keeps the array that it is given. */
function selected({ inputs, labels, count }: Examples, indices: Int32Array): LabelledBatch {
  return {
    inputs: rows(inputs, inputs.length / count, indices),
    labels: rows(labels, labels.length / count, indices),
    count: indices.length,
  };
}

function rows<T extends Float32Array | Int32Array>(values: T, width: number, indices: Int32Array): T {
  const picked = values.slice(0, indices.length * width) as T;
  for (const [row, index] of indices.entries()) {
    picked.set(values.subarray(index * width, (index + 1) * width), row * width);
  }
  return picked;
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}

function writeParameters(model: LayersModel, { tensors }: ParameterManifest, parameters: ParameterVector): void {
  tf.tidy(() => {
    for (const [i, { offset, size, shape }] of tensors.entries()) {
      model.weights[i].write(tf.tensor(parameters.slice(offset, offset + size), [...shape], "float32"));
    }
  });
}

async function readParameters(model: LayersModel, manifest: ParameterManifest): Promise<ParameterVector> {
  const parameters = new Float32Array(manifest.size);
  for (const [i, { offset }] of manifest.tensors.entries()) {
    parameters.set(await model.weights[i].read().data<"float32">(), offset);
  }
  return parameters;
}

/** Runs tasks one after another: a model's weights hold the parameters of one call. */
function turnstile(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const turn = last.then(task);
    last = turn.catch(() => undefined);
    return turn;
  };
}
