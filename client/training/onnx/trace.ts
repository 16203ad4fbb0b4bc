import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import { everyLayer } from "../../../shared/learning/models/inner-layers.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { parameterManifestOf } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterManifest } from "../../../shared/learning/parameters.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { batchOutcome, labelType, probabilities, scaledObjective } from "../loss.ts";
import { type NoiseSite, releaseMasks, routeNoise, UNSEEDED_LAYERS } from "../noise.ts";
import { optimizerStep, STATE_VECTORS, type StepRule } from "../optimizer.ts";
import { makeTrainable } from "../trainable-layers.ts";
import type { TracedValue } from "./kernel.ts";
import { mergedSums } from "./sums-of-products.ts";
import { type Tracing, traced } from "./tracing-backend.ts";
import { UntraceableModelError } from "./untraceable-model-error.ts";

/** The graph inputs that are not parameters. Parameter i is the input `parameterInput(i)`. */
export const INPUT = {
  examples: "examples",
  labels: "labels",
  updateScale: "updateScale",
  modelOutput: "modelOutput",
} as const;

export function parameterInput(index: number): string {
  return `parameter${index}`;
}

/** What the optimiser keeps of parameter `index`: vector `vector` of its state. */
export function stateInput(vector: number, index: number): string {
  return `state${vector}of${index}`;
}

export function shiftInput(index: number): string {
  return `shift${index}`;
}

/** What noise site `site` draws in one step. */
export function noiseInput(site: number): string {
  return `noise${site}`;
}

/** Per example: float32 [batch] and bool [batch]. */
export interface OutcomeTrace {
  readonly losses: TracedValue;
  readonly hits: TracedValue;
}

/** What one batch computes, as values over the inputs. */
export interface BatchTrace extends OutcomeTrace {
  readonly manifest: ParameterManifest;
  /** What losses and hits are of, with the labels: [batch, outputs]. */
  readonly modelOutput: TracedValue;
}

/** One step: what it makes of the parameters and of the optimiser's state. */
export interface StepTrace extends BatchTrace {
  /** By parameter, its value after the step. What is frozen has none. */
  readonly parameters: ReadonlyMap<number, TracedValue>;
  /** By the name of the state's input, its value after the step. */
  readonly state: ReadonlyMap<string, TracedValue>;
  /** Where the forward pass draws random numbers; site i is the input `noiseInput(i)`. */
  readonly noise: readonly NoiseSite[];
  /** Kernels that were called: how long the graph is, roughly. */
  readonly kernels: number;
}

/**
 * Traces one step on a batch. The gradient is that of updateScale · Σ losses: of the mean loss with updateScale =
 * 1 / batch; and with −η / batch it is plain SGD's update itself, so that no weight-sized tensor has to be scaled.
 */
export function traceStep(definition: ModelDefinition, batch: number, rule: StepRule): StepTrace {
  return traced((tracing) =>
    withModel(definition, tracing, (model, manifest, noise) => {
      const forward = forwardPass(definition, model, batch, true, tracing);
      const scale = tracing.input(INPUT.updateScale, "float32", []) as tf.Scalar;
      const trained = [...manifest.tensors.keys()].filter((i) => manifest.tensors[i].kind === "trained");
      const variables = trained.map((i) => model.weights[i].read() as tf.Variable);
      const outcomes: BatchTrace[] = [];
      const { grads } = gradients(() => {
        const outcome = forward();
        outcomes.push({ manifest, ...valuesOf(outcome, tracing) });
        return scaledObjective(model, outcome.losses, batch, scale);
      }, variables);

      const input = (name: string, i: number) => tracing.input(name, "float32", manifest.tensors[i].shape);
      const after = optimizerStep(rule, {
        weights: variables,
        gradients: variables.map((variable) => grads[variable.name] ?? tf.zerosLike(variable)),
        shifts: rule.shifts ? trained.map((i) => input(shiftInput(i), i)) : [],
        state: Array.from({ length: STATE_VECTORS[rule.optimizer] }, (_, vector) =>
          trained.map((i) => input(stateInput(vector, i), i)),
        ),
        number: (name) => tracing.input(name, "float32", []) as tf.Scalar,
      });
      const parameters = new Map(trained.map((index, i) => [index, tracing.valueOf(after.weights[i])]));
      for (const [index, { kind }] of manifest.tensors.entries()) {
        // The layer has written it in the forward pass.
        if (kind === "statistics") parameters.set(index, tracing.valueOf(model.weights[index].read()));
      }
      const state = after.state.flatMap((tensors, vector) =>
        tensors.map((tensor, i): [string, TracedValue] => [stateInput(vector, trained[i]), tracing.valueOf(tensor)]),
      );
      const { losses, hits, modelOutput } = outcomes[0];
      const merged = mergedSums([
        losses,
        hits,
        modelOutput,
        ...parameters.values(),
        ...state.map(([, value]) => value),
      ]);
      return {
        manifest,
        losses: merged(losses),
        hits: merged(hits),
        modelOutput: merged(modelOutput),
        parameters: new Map([...parameters].map(([i, value]) => [i, merged(value)])),
        state: new Map(state.map(([name, value]) => [name, merged(value)])),
        noise,
        kernels: tracing.calls(),
      };
    }),
  );
}

/** tf.variableGrads; that an operation has no gradient is said of the model. */
function gradients(...args: Parameters<typeof tf.variableGrads>): ReturnType<typeof tf.variableGrads> {
  try {
    return tf.variableGrads(...args);
  } catch (cause) {
    if (cause instanceof MurmurError || !(cause instanceof Error) || !/gradient/i.test(cause.message)) throw cause;
    throw new UntraceableModelError(`tfjs says: ${cause.message}`);
  }
}

/** Traces the forward pass on a batch, as at inference. */
export function traceEvaluation(definition: ModelDefinition, batch: number): BatchTrace {
  return traced((tracing) =>
    withModel(definition, tracing, (model, manifest) => {
      const outcome = forwardPass(definition, model, batch, false, tracing)();
      return { manifest, ...valuesOf(outcome, tracing) };
    }),
  );
}

/** What the trained model makes of a batch: probabilities for the cross-entropies, the model's output as it is otherwise. */
export interface InferenceTrace {
  readonly manifest: ParameterManifest;
  readonly output: TracedValue;
}

export function traceInference(definition: ModelDefinition, batch: number): InferenceTrace {
  return traced((tracing) =>
    withModel(definition, tracing, (model, manifest) => {
      const examples = tracing.input(INPUT.examples, "float32", [batch, ...definition.inputShape]);
      const output = model.apply(examples, { training: false }) as tf.Tensor2D;
      return { manifest, output: tracing.valueOf(probabilities(definition, output)) };
    }),
  );
}

/** Losses and hits of a model's output on any number of examples, which need not be one batch's. */
export function traceOutcome(definition: ModelDefinition, examples: number): OutcomeTrace {
  return traced((tracing) => {
    const scope = tf.engine();
    scope.startScope();
    try {
      const output = tracing.input(INPUT.modelOutput, "float32", [examples, definition.outputs]) as tf.Tensor2D;
      const { losses, hits } = batchOutcome(definition, output, labelsInput(definition, examples, tracing));
      return { losses: tracing.valueOf(losses), hits: tracing.valueOf(hits) };
    } finally {
      scope.endScope();
    }
  });
}

function withModel<T>(
  definition: ModelDefinition,
  tracing: Tracing,
  body: (model: LayersModel, manifest: ParameterManifest, noise: readonly NoiseSite[]) => T,
): T {
  const scope = tf.engine();
  scope.startScope();
  const model = buildModel(definition);
  try {
    for (const [index, weight] of model.weights.entries()) tracing.asInput(weight.read(), parameterInput(index));
    const unseeded = everyLayer(model).find((layer) => UNSEEDED_LAYERS.includes(layer.getClassName()));
    if (unseeded !== undefined) throw drawsRandomNumbers({ layer: unseeded.name });
    makeTrainable(model);
    const noise: NoiseSite[] = [];
    routeNoise(model, (site) => tracing.input(noiseInput(noise.push(site) - 1), "float32", site.shape));
    for (const layer of model.layers) {
      const call = layer.call.bind(layer);
      layer.call = (inputs, options) => tracing.inLayer(layer.name, () => call(inputs, options));
    }
    return body(model, parameterManifestOf(model), noise);
  } finally {
    releaseMasks(model);
    model.dispose();
    scope.endScope();
  }
}

function forwardPass(
  definition: ModelDefinition,
  model: LayersModel,
  batch: number,
  training: boolean,
  tracing: Tracing,
) {
  const examples = tracing.input(INPUT.examples, "float32", [batch, ...definition.inputShape]);
  const labels = labelsInput(definition, batch, tracing);
  return () => {
    const modelOutput = model.apply(examples, { training }) as tf.Tensor2D;
    return { modelOutput, ...batchOutcome(definition, modelOutput, labels) };
  };
}

function labelsInput(definition: ModelDefinition, examples: number, tracing: Tracing): tf.Tensor {
  const label = labelType(definition);
  return tracing.input(INPUT.labels, label.type, [examples, ...label.shape]);
}

function valuesOf({ modelOutput, losses, hits }: ReturnType<ReturnType<typeof forwardPass>>, tracing: Tracing) {
  const [output, loss, hit] = [modelOutput, losses, hits].map((tensor) => tracing.valueOf(tensor));
  return { modelOutput: output, losses: loss, hits: hit };
}

/**
 * Refuses a model whose layers draw random numbers of their own: they draw them while they are traced, and the graph would
 * repeat that one draw for ever. Two traces of such a model differ in a constant.
 *
 * @throws UntraceableModelError with the layer's name.
 */
export function refuseRandomConstants(first: StepTrace, second: StepTrace): void {
  const pairs: [TracedValue, TracedValue][] = [[first.losses, second.losses]];
  for (const [index, value] of first.parameters) {
    const other = second.parameters.get(index);
    if (other !== undefined) pairs.push([value, other]);
  }
  const seen = new Set<TracedValue>();
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [a, b] = pair;
    if (seen.has(a)) continue;
    seen.add(a);
    if (a.source.kind !== "kernel" || b.source.kind !== "kernel") continue;
    const kernel = a.source.kernel;
    for (const [name, x] of Object.entries(kernel.inputs)) {
      const y = b.source.kernel.inputs[name];
      if (
        x.source.kind === "constant" &&
        y.source.kind === "constant" &&
        !sameValues(x.source.values, y.source.values)
      ) {
        throw drawsRandomNumbers({ kernel: kernel.name, layer: kernel.layer });
      }
      pairs.push([x, y]);
    }
  }
}

function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function drawsRandomNumbers(where: { kernel?: string; layer: string | undefined }): UntraceableModelError {
  return new UntraceableModelError("it draws random numbers, which would be the same in every step", where);
}
