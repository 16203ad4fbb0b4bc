import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { labelType } from "../loss.ts";
import { STEP_NUMBERS } from "../optimizer.ts";
import { deferralPlans, deferredMatrix } from "./deferred-updates.ts";
import { type GraphBuilder, graphBuilder, type Value, type ValueType } from "./graph-builder.ts";
import { type LoweringContext, producer, sizeOf, type TracedKernel, type TracedValue } from "./kernel.ts";
import { KERNELS } from "./kernels/index.ts";
import { lowerInOrder, lowering } from "./lowering.ts";
import type { OnnxGraph } from "./model-proto.ts";
import { type BatchTrace, INPUT, noiseInput, parameterInput, type StepTrace, traceOutcome } from "./trace.ts";
import { soleProducer, useCounts } from "./uses.ts";

/** Inputs of a training graph that a single step does not have. */
export const TRAINING_INPUT = { order: "order", labels: "allLabels", examples: "allExamples" } as const;
export const OUTPUT = { losses: "losses", hits: "hits" } as const;

export function parameterOutput(index: number): string {
  return `updated${index}`;
}

export function stateOutput(input: string): string {
  return `${input}Updated`;
}

/**
 * Unrolls `steps` steps into one graph:
 *
 *     allExamples [N, …], allLabels [N] ──Gather(order)──▶ batch 1 … batch k
 *     parameters, state ──▶ step 1 ──▶ step 2 ──▶ … ──▶ step k ──▶ updated parameters, state
 *                             └── losses, hits [k · batch] ──┘
 *
 * `order` int32 [k · batch] says which of the N examples are in which batch. What differs from step to step (Adam's
 * numbers, noise) is an input with a first dimension of k. The graph has those inputs that its steps use.
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
  const orders = splitSteps(order, steps, graph);
  const varies = new Set<string>([...STEP_NUMBERS, ...trace.noise.map((_, site) => noiseInput(site))]);
  const common = memoised((name, type) => graph.input(name, type));
  const ofSteps = memoised((name, { type, shape }) =>
    splitSteps(graph.input(name, { type, shape: [steps, ...shape] }), steps, graph).map((value) =>
      graph.reshape(value, shape),
    ),
  );

  const updates = [...trace.parameters.values(), ...trace.state.values()];
  const uses = useCounts([trace.losses, trace.hits, ...updates]);
  const parameters = parameterInputs(trace, graph);
  const state = new Map([...trace.state].map(([name, value]) => [name, graph.input(name, value)]));
  const gather = (from: Value, indices: Value, shape: readonly number[]) =>
    graph.node("Gather", [from, indices], { type: from.type, shape: [...indices.shape, ...shape] }, { axis: 0 });
  const allLabels = gather(labels, order, label.shape);
  const labelsOfSteps = splitSteps(allLabels, steps, graph);
  const modelOutputs: Value[] = [];

  const plans = steps === 1 ? new Map() : deferralPlans(trace, batch, (value) => addend(value, uses), kernelsOf(uses));
  const weights = new Map(
    [...plans].map(([i, plan]) => {
      const examplesOf = (first: number, count: number) => {
        const part = sliced(order, first * batch, (first + count) * batch, graph);
        return graph.reshape(gather(examples, part, inputShape), [count * batch, sizeOf(inputShape)]);
      };
      return [i, deferredMatrix(parameters[i], plan, steps, examplesOf, graph)];
    }),
  );
  const deferred = new Map([...weights].map(([i, weight]) => [parameterInput(i), weight]));
  for (const [step, indices] of orders.entries()) {
    const own = new Map<string, Value>([
      [INPUT.examples, gather(examples, indices, inputShape)],
      [INPUT.labels, labelsOfSteps[step]],
      ...parameters.map((value, i): [string, Value] => [parameterInput(i), value]),
      ...state,
    ]);
    const context = lowering(
      graph,
      (name, type) => own.get(name) ?? (varies.has(name) ? ofSteps(name, type)[step] : common(name, type)),
      KERNELS,
      deferred,
    );
    lowerInOrder([trace.modelOutput, ...updates], context);
    modelOutputs.push(context.value(trace.modelOutput));
    // Lowered before they are replaced: each is of the values before the step.
    const next = [...trace.parameters].flatMap(([i, value]): [number, Value][] =>
      weights.has(i) ? [] : [[i, sumInto(value, uses, context)]],
    );
    const products = [...plans].map(([i, { x, gradient }]) => {
      const matrix = (traced: TracedValue) => graph.reshape(context.value(traced), traced.shape.slice(-2));
      return { i, x: matrix(x), gradient: matrix(gradient) };
    });
    for (const [name, value] of trace.state) state.set(name, sumInto(value, uses, context));
    for (const [i, value] of next) parameters[i] = value;
    for (const { i, x, gradient } of products) weights.get(i)?.update(x, gradient);
  }
  for (const [i, weight] of weights) parameters[i] = weight.weight();
  for (const i of trace.parameters.keys()) graph.output(parameterOutput(i), parameters[i]);
  for (const [name, value] of state) graph.output(stateOutput(name), value);
  // Once for all the steps: nothing in them waits for it.
  const modelOutput = concatenated(modelOutputs, graph);
  const { losses, hits } = traceOutcome(definition, steps * batch);
  const known = new Map([
    [INPUT.modelOutput, modelOutput],
    [INPUT.labels, allLabels],
  ] as [string, Value][]);
  const context = lowering(graph, (name) => known.get(name));
  graph.output(OUTPUT.losses, context.value(losses));
  graph.output(OUTPUT.hits, context.value(hits));
  return graph.build();
}

/** The forward pass on one batch: examples and labels in, losses and hits out. */
export function compileEvaluation(trace: BatchTrace, batch: number, definition: ModelDefinition): OnnxGraph {
  const { inputShape } = definition;
  const label = labelType(definition);
  const graph = graphBuilder();
  const own = new Map<string, Value>([
    [INPUT.examples, graph.input(INPUT.examples, { type: "float32", shape: [batch, ...inputShape] })],
    [INPUT.labels, graph.input(INPUT.labels, { type: label.type, shape: [batch, ...label.shape] })],
    ...parameterInputs(trace, graph).map((value, i): [string, Value] => [parameterInput(i), value]),
  ]);
  const context = lowering(graph, (name) => own.get(name));
  lowerInOrder([trace.losses, trace.hits], context);
  graph.output(OUTPUT.losses, context.value(trace.losses));
  graph.output(OUTPUT.hits, context.value(trace.hits));
  return graph.build();
}

function parameterInputs({ manifest }: BatchTrace, graph: GraphBuilder): Value[] {
  return manifest.tensors.map(({ shape }, i) => graph.input(parameterInput(i), { type: "float32", shape }));
}

/** A sum base + x, by the form that x's kernel has for it, where nothing else reads x: how weights are updated. */
function sumInto(value: TracedValue, uses: ReadonlyMap<TracedValue, number>, context: LoweringContext): Value {
  const kernel = addend(value, uses);
  const addTo = kernel === undefined ? undefined : KERNELS[kernel.name].addTo;
  const base = producer(value)?.inputs.a;
  if (kernel === undefined || addTo === undefined || base === undefined) return context.value(value);
  return context.graph.reshape(addTo(context.value(base), kernel, context), value.shape);
}

/** What made x in a sum base + x, where nothing else reads it. */
function addend(value: TracedValue, uses: ReadonlyMap<TracedValue, number>): TracedKernel | undefined {
  const sum = producer(value);
  if (sum?.name !== "Add" || value.shape.join() !== sum.inputs.a.shape.join()) return undefined;
  return soleProducer(sum.inputs.b, uses);
}

function kernelsOf(values: ReadonlyMap<TracedValue, number>): TracedKernel[] {
  return [...new Set([...values.keys()].flatMap(({ source }) => (source.kind === "kernel" ? [source.kernel] : [])))];
}

/** A value of k steps, [k, …] or [k · n], as one for each step. */
function splitSteps(value: Value, steps: number, graph: GraphBuilder): Value[] {
  if (steps === 1) return [value];
  const shape = [value.shape[0] / steps, ...value.shape.slice(1)];
  const types = new Array<ValueType>(steps).fill({ type: value.type, shape });
  return graph.nodes("Split", [value], types, { axis: 0, num_outputs: steps });
}

function sliced(value: Value, from: number, to: number, graph: GraphBuilder): Value {
  const bounds = [[from], [to], [0]].map((list) => graph.integers(list));
  return graph.node("Slice", [value, ...bounds], { type: value.type, shape: [to - from] });
}

function memoised<T>(make: (name: string, type: ValueType) => T): (name: string, type: ValueType) => T {
  const known = new Map<string, T>();
  return (name, type) => {
    const made = known.get(name) ?? make(name, type);
    known.set(name, made);
    return made;
  };
}

function concatenated(values: readonly Value[], graph: GraphBuilder): Value {
  if (values.length === 1) return values[0];
  const length = values.reduce((sum, { shape }) => sum + shape[0], 0);
  const shape = [length, ...values[0].shape.slice(1)];
  return graph.node("Concat", values, { type: values[0].type, shape }, { axis: 0 });
}
