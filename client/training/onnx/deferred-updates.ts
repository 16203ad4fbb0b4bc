import type { GraphBuilder, Value } from "./graph-builder.ts";
import { producer, rootInput, type TracedKernel, type TracedValue } from "./kernel.ts";
import { INPUT, parameterInput, type StepTrace } from "./trace.ts";

/**
 * Dense weights that are not written in every step. Plain SGD adds products of rank `batch`, so that after t steps
 *
 *     W_t = W_0 + Σ_s x_sᵀ δ_s        a · W_t = a · W_0 + Σ_s (a · x_sᵀ) δ_s        δ · W_tᵀ = δ · W_0ᵀ + Σ_s (δ · δ_sᵀ) x_s
 *
 * with small products instead of a pass over the weight, which is written once at the end of a block of steps. That is
 * the same sum in another order: equal up to rounding. A first layer's a and x_s are examples, known beforehand: then one
 * product serves the block, and the corrections' a · x_sᵀ come from one matrix of inner products.
 */
export interface DeferralPlan {
  /** Steps of a block. */
  readonly steps: number;
  /** Whether what is multiplied with the weight is the batch's examples themselves. */
  readonly ofExamples: boolean;
  /** Whether the forward pass multiplies with a transposed copy, which ONNX Runtime does not have to rearrange in each step. */
  readonly turned: boolean;
}

export interface DeferredMatrix {
  /** a · W + bias, for a [batch, in]. */
  times(a: Value, bias: Value | undefined): Value;
  /** δ · Wᵀ, for δ [batch, out]. */
  timesTransposed(gradient: Value): Value;
  /** W ← W + xᵀ δ. */
  update(x: Value, gradient: Value): void;
  /** W; at the end of a block. */
  weight(): Value;
}

/** The update of a weight, as a product that nothing else reads. */
export interface ProductUpdate {
  readonly x: TracedValue;
  readonly gradient: TracedValue;
}

/** What is deferred, by parameter. `kernels` are all of the step's. */
export function deferralPlans(
  trace: StepTrace,
  batch: number,
  updateOf: (value: TracedValue) => TracedKernel | undefined,
  kernels: readonly TracedKernel[],
): ReadonlyMap<number, DeferralPlan & ProductUpdate> {
  const plans = new Map<number, DeferralPlan & ProductUpdate>();
  for (const [index, value] of trace.parameters) {
    const name = parameterInput(index);
    const kernel = updateOf(value);
    const sum = producer(value);
    if (kernel?.name !== "BatchMatMul" || sum === undefined || rootInput(sum.inputs.a) !== name) continue;
    const { transposeA, transposeB } = kernel.attributes;
    const { a: x, b: gradient } = kernel.inputs;
    if (transposeA !== true || transposeB === true) continue;
    const [inputs, outputs] = value.shape;
    const isMatrix = (matrix: TracedValue, columns: number) => matrix.shape.slice(-2).join() === `${batch},${columns}`;
    if (value.shape.length !== 2 || !isMatrix(x, inputs) || !isMatrix(gradient, outputs)) continue;
    const readers = kernels.filter((reader) => reader !== sum && reads(reader, name));
    const products = readers.filter(({ name: reader, inputs: { a, b }, attributes }) => {
      const columns = attributes.transposeB === true ? outputs : inputs;
      return isProduct(reader) && rootInput(b) === name && rootInput(a) !== name && isMatrix(a, columns);
    });
    if (products.length !== readers.length) continue;
    const forward = products.filter(({ attributes }) => attributes.transposeB !== true);
    const ofExamples = [x, ...forward.map(({ inputs: { a } }) => a)].every((a) => rootInput(a) === INPUT.examples);
    if (ofExamples && products.length !== 1) continue;
    const plan = cheapestPlan({ batch, inputs, outputs, ofExamples, products: products.length });
    if (plan !== undefined) plans.set(index, { ...plan, x, gradient });
  }
  return plans;
}

function isProduct(name: string): boolean {
  return name === "BatchMatMul" || name === "_FusedMatMul";
}

/** Whether a kernel computes with the input, and does not only rename it. */
function reads({ name, inputs }: TracedKernel, input: string): boolean {
  return name !== "Identity" && name !== "Reshape" && Object.values(inputs).some((value) => rootInput(value) === input);
}

interface DenseShape {
  readonly batch: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly ofExamples: boolean;
  readonly products: number;
}

/** Nanoseconds on a core of 100 GFLOP/s, measured (AMD EPYC, Zen 4): what decides is their proportion. */
const COST = {
  operation: 0.01,
  smallOperation: 0.03,
  node: 2000,
  write: 0.27,
  rearrange: 0.58,
  aligned: 0.13,
  transpose: 1.25,
};
/** A weight of so many elements stays in the second-level cache from step to step. */
const CACHED = 2 ** 18;
const BLOCKS = [2, 4, 8];

function cheapestPlan(shape: DenseShape): DeferralPlan | undefined {
  const { ofExamples } = shape;
  const plans = BLOCKS.flatMap((steps) => [
    { steps, ofExamples, turned: false },
    ...(ofExamples ? [] : [{ steps, ofExamples, turned: true }]),
  ]);
  const undeferred = costOfStep(shape, { steps: 1, ofExamples: false, turned: false });
  const best = plans.reduce((a, b) => (costOfStep(shape, b) < costOfStep(shape, a) ? b : a));
  return costOfStep(shape, best) < 0.9 * undeferred ? best : undefined;
}

function costOfStep(
  { batch, inputs, outputs, products }: DenseShape,
  { steps, ofExamples, turned }: DeferralPlan,
): number {
  const elements = inputs * outputs;
  const memory = elements < CACHED ? 0.5 : 1;
  const compute = 2 * batch * COST.operation * elements * 2;
  const write = (memory * COST.write * elements) / steps;
  const earlier = (steps - 1) / 2;
  if (ofExamples) {
    const inner = (2 * (steps * batch) ** 2 * inputs * COST.operation) / steps;
    const corrections = earlier * 2 * batch * batch * outputs * COST.smallOperation + 4 * COST.node;
    return compute + write + (memory * COST.rearrange * elements) / steps + inner + corrections;
  }
  const forward = turned ? COST.aligned + COST.transpose / steps : memory * COST.rearrange;
  const correction = 2 * batch * batch * (inputs + outputs) * COST.smallOperation + 2 * COST.node;
  return compute + write + forward * elements + earlier * products * correction;
}

/** `examples(first, count)` are the examples of `count` steps, [count · batch, in]. */
export function deferredMatrix(
  initial: Value,
  plan: DeferralPlan,
  steps: number,
  examples: (first: number, count: number) => Value,
  graph: GraphBuilder,
): DeferredMatrix {
  const [inputs, outputs] = initial.shape;
  const float = (shape: readonly number[]) => ({ type: "float32", shape }) as const;
  let weight = initial;
  let first = 0;
  let block = begin();

  function begin() {
    const count = Math.min(plan.steps, steps - first);
    const known = plan.ofExamples && count > 1 ? examples(first, count) : undefined;
    return { count, terms: [] as { x: Value; gradient: Value }[], known };
  }

  function times(a: Value, bias: Value | undefined): Value {
    if (block.known !== undefined) return timesExamples(block.known, bias);
    const rows = a.shape[0];
    const product = plan.turned && block.count > 1 ? timesTurned(a, bias) : undefined;
    const start =
      product ?? graph.node("Gemm", [a, weight, ...(bias === undefined ? [] : [bias])], float([rows, outputs]));
    return block.terms.reduce((sum, { x, gradient }) => {
      const inner = graph.node("Gemm", [a, x], float([rows, x.shape[0]]), { transB: 1 });
      return graph.node("Gemm", [inner, gradient, sum], float([rows, outputs]));
    }, start);
  }

  function timesTurned(a: Value, bias: Value | undefined): Value {
    const column = bias === undefined ? [] : [graph.reshape(bias, [outputs, 1])];
    const product = graph.node("Gemm", [turned(weight), a, ...column], float([outputs, a.shape[0]]), { transB: 1 });
    return turned(product);
  }

  /** With a third dimension, because ONNX Runtime would join a plain transposition to the product that it is to spare. */
  function turned(matrix: Value): Value {
    const [rows, columns] = matrix.shape;
    const flat = graph.reshape(matrix, [1, rows, columns]);
    return graph.reshape(graph.node("Transpose", [flat], float([1, columns, rows]), { perm: [0, 2, 1] }), [
      columns,
      rows,
    ]);
  }

  function timesExamples(known: Value, bias: Value | undefined): Value {
    const { count, terms } = block;
    const batch = known.shape[0] / count;
    const step = terms.length;
    const split = (value: Value) => {
      const types = Array.from({ length: count }, () => float([batch, value.shape[1]]));
      return graph.nodes("Split", [value], types, { axis: 0, num_outputs: count })[step];
    };
    const product = split(graph.node("MatMul", [known, weight], float([known.shape[0], outputs])));
    const start = bias === undefined ? product : graph.node("Add", [product, bias], product);
    if (step === 0) return start;
    const inner = split(graph.node("Gemm", [known, known], float([known.shape[0], known.shape[0]]), { transB: 1 }));
    const [from, to, axes] = [[0], [step * batch], [1]].map((list) => graph.integers(list));
    const earlier = graph.node("Slice", [inner, from, to, axes], float([batch, step * batch]));
    return graph.node(
      "Gemm",
      [earlier, stacked(terms.map(({ gradient }) => gradient)), start],
      float([batch, outputs]),
    );
  }

  function timesTransposed(gradient: Value): Value {
    const rows = gradient.shape[0];
    const start = graph.node("Gemm", [gradient, weight], float([rows, inputs]), { transB: 1 });
    return block.terms.reduce((sum, { x, gradient: earlier }) => {
      const inner = graph.node("Gemm", [gradient, earlier], float([rows, earlier.shape[0]]), { transB: 1 });
      return graph.node("Gemm", [inner, x, sum], float([rows, inputs]));
    }, start);
  }

  function update(x: Value, gradient: Value): void {
    block.terms.push({ x, gradient });
    if (block.terms.length < block.count) return;
    const rows = block.known ?? stacked(block.terms.map((term) => term.x));
    const gradients = stacked(block.terms.map((term) => term.gradient));
    weight = graph.node("Gemm", [rows, gradients, weight], initial, { transA: 1 });
    first += block.count;
    if (first < steps) block = begin();
  }

  function stacked(matrices: readonly Value[]): Value {
    if (matrices.length === 1) return matrices[0];
    const rows = matrices.reduce((sum, { shape }) => sum + shape[0], 0);
    return graph.node("Concat", matrices, float([rows, matrices[0].shape[1]]), { axis: 0 });
  }

  return { times, timesTransposed, update, weight: () => weight };
}
