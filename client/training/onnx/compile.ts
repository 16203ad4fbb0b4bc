import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { labelType } from "../loss.ts";
import { type GraphBuilder, graphBuilder, type Value } from "./graph-builder.ts";
import { type LoweringContext, producer, type TracedValue } from "./kernel.ts";
import { KERNELS } from "./kernels/index.ts";
import type { OnnxGraph } from "./model-proto.ts";
import { type BatchTrace, INPUT, parameterInput, type StepTrace } from "./trace.ts";

/** Inputs of a training graph that a single step does not have. */
export const TRAINING_INPUT = { order: "order", labels: "allLabels", examples: "allExamples" } as const;
export const OUTPUT = { losses: "losses", hits: "hits" } as const;

export function parameterOutput(index: number): string {
  return `updated${index}`;
}

/**
 * Unrolls `steps` steps of SGD into one graph:
 *
 *     allExamples [N, …], allLabels [N] ──Gather(order)──▶ batch 1 … batch k
 *     parameters ──▶ step 1 ──▶ step 2 ──▶ … ──▶ step k ──▶ updated parameters
 *                      └── losses, hits [k · batch] ──┘
 *
 * `order` int32 [k · batch] says which of the N examples are in which batch.
 */
export function compileSteps(trace: StepTrace, batch: number, steps: number, definition: ModelDefinition): OnnxGraph {
  const { inputShape } = definition;
  const label = labelType(definition);
  const graph = graphBuilder();
  const examples = graph.input(TRAINING_INPUT.examples, { type: "float32", shape: [0, ...inputShape] }, [
    "N",
    ...inputShape,
  ]);
  const labels = graph.input(TRAINING_INPUT.labels, { type: label.type, shape: [0, ...label.shape] }, [
    "N",
    ...label.shape,
  ]);
  const order = graph.input(TRAINING_INPUT.order, { type: "int32", shape: [steps * batch] });
  const updateScale = graph.input(INPUT.updateScale, { type: "float32", shape: [] });
  const orders =
    steps === 1
      ? [order]
      : graph.nodes("Split", [order], new Array(steps).fill({ type: "int32", shape: [batch] }), {
          axis: 0,
          num_outputs: steps,
        });

  let parameters = parameterInputs(trace, graph);
  const losses: Value[] = [];
  const hits: Value[] = [];
  for (const indices of orders) {
    const gather = (from: Value, shape: readonly number[]) =>
      graph.node("Gather", [from, indices], { type: from.type, shape: [batch, ...shape] }, { axis: 0 });
    const inputs = new Map<string, Value>([
      [INPUT.examples, gather(examples, inputShape)],
      [INPUT.labels, gather(labels, label.shape)],
      [INPUT.updateScale, updateScale],
      ...parameters.map((value, i): [string, Value] => [parameterInput(i), value]),
    ]);
    const context = lowering(graph, inputs);
    losses.push(context.value(trace.losses));
    hits.push(context.value(trace.hits));
    parameters = parameters.map((parameter, i) => updated(parameter, trace.updates[i], context));
  }
  for (const [i, parameter] of parameters.entries()) graph.output(parameterOutput(i), parameter);
  graph.output(OUTPUT.losses, concatenated(losses, graph));
  graph.output(OUTPUT.hits, concatenated(hits, graph));
  return graph.build();
}

/** The forward pass on one batch: examples and labels in, losses and hits out. */
export function compileEvaluation(trace: BatchTrace, batch: number, definition: ModelDefinition): OnnxGraph {
  const { inputShape } = definition;
  const label = labelType(definition);
  const graph = graphBuilder();
  const inputs = new Map<string, Value>([
    [INPUT.examples, graph.input(INPUT.examples, { type: "float32", shape: [batch, ...inputShape] })],
    [INPUT.labels, graph.input(INPUT.labels, { type: label.type, shape: [batch, ...label.shape] })],
    ...parameterInputs(trace, graph).map((value, i): [string, Value] => [parameterInput(i), value]),
  ]);
  const context = lowering(graph, inputs);
  graph.output(OUTPUT.losses, context.value(trace.losses));
  graph.output(OUTPUT.hits, context.value(trace.hits));
  return graph.build();
}

function parameterInputs({ manifest }: BatchTrace, graph: GraphBuilder): Value[] {
  return manifest.tensors.map(({ shape }, i) => graph.input(parameterInput(i), { type: "float32", shape }));
}

/** Lowers values when they are asked for, so that what no output needs is never in the graph. */
function lowering(graph: GraphBuilder, inputs: ReadonlyMap<string, Value>): LoweringContext {
  const lowered = new Map<TracedValue, Value>();
  const context: LoweringContext = {
    graph,
    value(traced) {
      const known = lowered.get(traced);
      if (known !== undefined) return known;
      const value = lower(traced);
      lowered.set(traced, value);
      return value;
    },
  };

  function lower({ source, type, shape }: TracedValue): Value {
    switch (source.kind) {
      case "input": {
        const value = inputs.get(source.name);
        if (value === undefined) throw new Error(`The graph has no input "${source.name}".`);
        return value;
      }
      case "constant":
        return graph.constant({ type, shape }, source.values);
      case "kernel":
        return KERNELS[source.kernel.name].lower(source.kernel, context);
    }
  }

  return context;
}

/** parameter + update, by the form that the update's kernel has for it. */
function updated(parameter: Value, update: TracedValue, context: LoweringContext): Value {
  const kernel = producer(update, ["Identity", "Reshape"]);
  const addTo = kernel === undefined ? undefined : KERNELS[kernel.name].addTo;
  if (kernel !== undefined && addTo !== undefined) return addTo(parameter, kernel, context);
  const value = context.graph.reshape(context.value(update), parameter.shape);
  return context.graph.node("Add", [parameter, value], parameter);
}

function concatenated(values: readonly Value[], graph: GraphBuilder): Value {
  if (values.length === 1) return values[0];
  const length = values.reduce((sum, { shape }) => sum + shape[0], 0);
  return graph.node("Concat", values, { type: values[0].type, shape: [length] }, { axis: 0 });
}
