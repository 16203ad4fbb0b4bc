import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { buildModel } from "../../../shared/learning/models/build-model.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { parameterManifestOf } from "../../../shared/learning/models/model-parameters.ts";
import type { ParameterManifest } from "../../../shared/learning/parameters.ts";
import { batchOutcome, labelType } from "../loss.ts";
import type { TracedValue } from "./kernel.ts";
import { type Tracing, traced } from "./tracing-backend.ts";
import { UntraceableModelError } from "./untraceable-model-error.ts";

/** The graph inputs that are not parameters. Parameter i is the input `parameterInput(i)`. */
export const INPUT = { examples: "examples", labels: "labels", updateScale: "updateScale" } as const;

export function parameterInput(index: number): string {
  return `parameter${index}`;
}

/** Layers that draw random numbers in training; with a seed they draw the same ones in every trace. */
const STOCHASTIC_LAYERS = ["Dropout", "SpatialDropout1D", "AlphaDropout", "GaussianDropout", "GaussianNoise"];

/** What one batch computes, as values over the inputs. */
export interface BatchTrace {
  readonly manifest: ParameterManifest;
  /** Per example: float32 [batch] and bool [batch]. */
  readonly losses: TracedValue;
  readonly hits: TracedValue;
}

/** One step of SGD: what is added to each parameter, in the manifest's order. */
export interface StepTrace extends BatchTrace {
  readonly updates: readonly TracedValue[];
}

/**
 * Traces one step of SGD on a batch. The gradient is that of updateScale · Σ losses, so that with updateScale = −η / batch
 * it is the update itself, and no weight-sized tensor has to be scaled.
 */
export function traceStep(definition: ModelDefinition, batch: number): StepTrace {
  const first = traceStepOnce(definition, batch);
  refuseRandomConstants(first, traceStepOnce(definition, batch));
  return first;
}

function traceStepOnce(definition: ModelDefinition, batch: number): StepTrace {
  return traced((tracing) =>
    withModel(definition, tracing, (model, manifest) => {
      const stochastic = model.layers.find((layer) => STOCHASTIC_LAYERS.includes(layer.getClassName()));
      if (stochastic !== undefined) throw drawsRandomNumbers({ layer: stochastic.name });
      const forward = forwardPass(definition, model, batch, true, tracing);
      const scale = tracing.input(INPUT.updateScale, "float32", []) as tf.Scalar;
      const variables = model.weights.map((weight) => {
        if (weight.trainable) return weight.read() as tf.Variable;
        throw new UntraceableModelError(`the weight ${weight.originalName} is not trained by gradients`);
      });
      const outcomes: BatchTrace[] = [];
      const { grads } = tf.variableGrads(() => {
        const outcome = forward();
        outcomes.push({ manifest, losses: tracing.valueOf(outcome.losses), hits: tracing.valueOf(outcome.hits) });
        return tf.mul(tf.sum(outcome.losses), scale) as tf.Scalar;
      }, variables);
      const updates = variables.map(({ name }) => tracing.valueOf(grads[name]));
      return { ...outcomes[0], updates };
    }),
  );
}

/** Traces the forward pass on a batch, as at inference. */
export function traceEvaluation(definition: ModelDefinition, batch: number): BatchTrace {
  return traced((tracing) =>
    withModel(definition, tracing, (model, manifest) => {
      const { losses, hits } = forwardPass(definition, model, batch, false, tracing)();
      return { manifest, losses: tracing.valueOf(losses), hits: tracing.valueOf(hits) };
    }),
  );
}

function withModel<T>(
  definition: ModelDefinition,
  tracing: Tracing,
  body: (model: LayersModel, manifest: ParameterManifest) => T,
): T {
  const scope = tf.engine();
  scope.startScope();
  const model = buildModel(definition);
  try {
    for (const [index, weight] of model.weights.entries()) tracing.asInput(weight.read(), parameterInput(index));
    for (const layer of model.layers) {
      const call = layer.call.bind(layer);
      layer.call = (inputs, options) => tracing.inLayer(layer.name, () => call(inputs, options));
    }
    return body(model, parameterManifestOf(model));
  } finally {
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
  const label = labelType(definition);
  const labels = tracing.input(INPUT.labels, label.type, [batch, ...label.shape]);
  return () => batchOutcome(definition, model.apply(examples, { training }) as tf.Tensor2D, labels);
}

/**
 * A layer that draws random numbers draws them while it is traced, and the graph would repeat that one draw for ever. Two
 * traces of such a model differ in a constant.
 */
function refuseRandomConstants(first: StepTrace, second: StepTrace): void {
  const pairs: [TracedValue, TracedValue][] = first.updates.map((update, i) => [update, second.updates[i]]);
  pairs.push([first.losses, second.losses]);
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
