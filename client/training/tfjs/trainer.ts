import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Examples } from "../../../shared/learning/examples.ts";
import { startBackend, withBackend } from "../../../shared/learning/models/backend-scope.ts";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import { everyLayer } from "../../../shared/learning/models/inner-layers.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { parameterManifestOf } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterManifest, ParameterVector, TensorEntry } from "../../../shared/learning/parameters.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { type SeededRandom, seededRandom } from "../../../shared/random/seeded-random.ts";
import { epochBatches } from "../batches.ts";
import { checkParameters, checkTrainable } from "../checks.ts";
import { type BatchOutcome, batchOutcome, labelType, scaledObjective } from "../loss.ts";
import { fillNoise, releaseMasks, routeNoise, UNSEEDED_LAYERS } from "../noise.ts";
import {
  gradientIsUpdate,
  optimizerStep,
  STATE_VECTORS,
  shiftVector,
  stepNumbers,
  stepRule,
  taskNumbers,
} from "../optimizer.ts";
import { registerGradients } from "../tfjs-gradients.ts";
import { makeTrainable } from "../trainable-layers.ts";
import type { Trainer, TrainingTask } from "../trainer.ts";

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
  registerGradients();
  const model = withBackend(backend, () => buildModel(definition) as LayersModel);
  const manifest = parameterManifestOf(model);
  const inTurn = turnstile();
  const unseeded = everyLayer(model).find((layer) => UNSEEDED_LAYERS.includes(layer.getClassName()));
  if (unseeded !== undefined) {
    throw new MurmurError("model-unseeded", `The layer "${unseeded.name}" draws random numbers that no seed reaches.`);
  }
  makeTrainable(model);
  let draws: SeededRandom | undefined;
  routeNoise(model, (site) => {
    if (draws === undefined) throw new Error("A layer drew random numbers outside training.");
    const values = new Float32Array(site.shape.reduce((product, length) => product * length, 1));
    fillNoise(site, values, draws);
    return tf.tensor(values, [...site.shape], "float32");
  });

  try {
    draws = seededRandom(0, "trial");
    withBackend(backend, () => tryStep(model, manifest, definition));
  } catch (cause) {
    releaseMasks(model);
    model.dispose();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MurmurError(
      "model-untrainable",
      `The engine ${engine} cannot train "${definition.name}" on the backend ${backend}: ${reason}`,
      { cause },
    );
  }

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
        draws = random;
        withBackend(backend, () => writeParameters(model, manifest, parameters));
        const training = withBackend(backend, () => startTraining(model, manifest, definition, task, parameters));
        let outcome = { lossSum: 0, correct: 0 };
        let steps = 0;
        try {
          for (let epoch = 0; epoch < task.epochs; epoch++) {
            const batches = epochBatches(examples.count, task.batchSize, random);
            const outcomes = batches.map((batch) =>
              withBackend(backend, () => training.step(selected(examples, batch))),
            );
            outcome = await totals(outcomes);
            steps += batches.length;
          }
        } finally {
          training.dispose();
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
        releaseMasks(model);
        model.dispose();
      }),
  };
}

interface Training {
  /** Takes a step on a batch. The outcome is of the parameters before it. */
  step(batch: LabelledBatch): BatchOutcome;
  dispose(): void;
}

/** Holds what the steps of one call share: the optimiser's state, from zero, and what is added to each gradient. */
function startTraining(
  model: LayersModel,
  manifest: ParameterManifest,
  definition: ModelDefinition,
  task: TrainingTask,
  received: ParameterVector,
): Training {
  const rule = stepRule(task);
  const trained = [...manifest.tensors.keys()].filter((i) => manifest.tensors[i].kind === "trained");
  const weights = trained.map((i) => model.weights[i].read() as tf.Variable);
  const shift = shiftVector(task, received);
  const shifts = shift === undefined ? [] : trained.map((i) => tensorOf(shift, manifest.tensors[i]));
  const vectors = Array.from({ length: STATE_VECTORS[rule.optimizer] });
  let state: readonly (readonly tf.Tensor[])[] = vectors.map(() => weights.map((weight) => tf.zerosLike(weight)));
  const perTask = taskNumbers(task);
  const perStep = stepNumbers(task);

  return {
    step: (batch) => {
      const [outcome, next] = tf.tidy(() => {
        const outcomes: BatchOutcome[] = [];
        const scale = tf.scalar((gradientIsUpdate(rule) ? -task.learningRate : 1) / batch.count);
        const { grads } = tf.variableGrads(() => {
          const outcome = forward(model, definition, batch, true);
          outcomes.push({ losses: tf.keep(outcome.losses), hits: tf.keep(outcome.hits) });
          return scaledObjective(model, outcome.losses, batch.count, scale);
        }, weights);
        const gradients = weights.map((weight) => grads[weight.name] ?? tf.zerosLike(weight));
        const numbers = { ...perTask, ...perStep.next().value };
        const number = (name: keyof typeof numbers) => tf.scalar(numbers[name]);
        const after = optimizerStep(rule, { weights, gradients, shifts, state, number });
        for (const [i, weight] of weights.entries()) weight.assign(after.weights[i]);
        return [outcomes[0], after.state.map((tensors) => tensors.map((tensor) => tf.keep(tensor)))];
      });
      tf.dispose(state.flat());
      state = next;
      return outcome;
    },
    dispose: () => {
      tf.dispose(state.flat());
      tf.dispose(shifts);
    },
  };
}

/** A step on an example of zeros, from parameters of zero: what cannot be trained is known before training starts. */
function tryStep(model: LayersModel, manifest: ParameterManifest, definition: ModelDefinition): void {
  const zeros = new Float32Array(manifest.size);
  const training = startTraining(model, manifest, definition, { epochs: 1, batchSize: 1, learningRate: 0 }, zeros);
  const inputs = new Float32Array(definition.inputShape.reduce((product, length) => product * length, 1));
  const labels = labelType(definition).type === "int32" ? new Int32Array(1) : new Float32Array(definition.outputs);
  try {
    tf.dispose(training.step({ inputs, labels, count: 1 }));
  } finally {
    training.dispose();
  }
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

function tensorOf(vector: ParameterVector, { offset, size, shape }: TensorEntry): tf.Tensor {
  return tf.tensor(vector.slice(offset, offset + size), [...shape], "float32");
}

function writeParameters(model: LayersModel, { tensors }: ParameterManifest, parameters: ParameterVector): void {
  tf.tidy(() => {
    for (const [i, entry] of tensors.entries()) {
      model.weights[i].write(tensorOf(parameters, entry));
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
