import type { GraphBuilder, Value } from "../graph-builder.ts";
import { type LoweringContext, origin, originKernel, type TracedKernel, type TracedValue } from "../kernel.ts";
import { convolutionGeometry } from "./convolution-geometry.ts";
import { castTo } from "./elementwise.ts";
import { type SpatialConvolution, spatialConvolution } from "./spatial-convolution.ts";

/**
 * A convolution whose result is pooled by windows of 2 × 2: the four values of a window are made in four rows, and bias
 * and ReLU act on the maxima, a quarter of the values. Both keep order, so the maximum of the results is the result of the
 * maximum.
 */
export interface PooledConvolution {
  readonly x: TracedValue;
  readonly filter: TracedValue;
  readonly bias: TracedValue | undefined;
  readonly relu: boolean;
  /** What ReLU acts on. */
  readonly sum: TracedValue;
  readonly method: SpatialConvolution;
}

/** The convolution under a pool with these attributes whose input is `pooled`, if it is of this form. */
export function pooledConvolution(
  pooled: TracedValue,
  { filterSize, strides, pad, dimRoundingMode }: TracedKernel["attributes"],
  { graph }: LoweringContext,
): PooledConvolution | undefined {
  const isTwo = (lengths: unknown) => [lengths].flat(2).every((length) => length === 2);
  const padded = typeof pad === "number" && pad !== 0;
  if (!isTwo(filterSize) || !isTwo(strides) || padded || typeof pad === "object" || dimRoundingMode) return undefined;
  const [, height, width] = pooled.shape;
  if (height % 2 !== 0 || width % 2 !== 0) return undefined;

  let sum = pooled;
  let kernel = originKernel(sum);
  let relu = kernel?.name === "Relu";
  if (kernel !== undefined && relu) {
    sum = kernel.inputs.x;
    kernel = originKernel(sum);
  }
  let bias: TracedValue | undefined;
  if (kernel?.name === "Add" && kernel.inputs.b.shape.length === 1) {
    bias = kernel.inputs.b;
    kernel = originKernel(kernel.inputs.a);
  }
  if (kernel?.name === "FusedConv2D" && !relu && bias === undefined) {
    const activation = kernel.attributes.activation ?? "linear";
    if (activation !== "linear" && activation !== "relu") return undefined;
    relu = activation === "relu";
    bias = kernel.inputs.bias;
  } else if (kernel?.name !== "Conv2D") return undefined;
  const { x, filter } = kernel.inputs;
  if (bias !== undefined && bias.shape.join() !== String(filter.shape[3])) return undefined;
  const method = spatialConvolution(convolutionGeometry(x.shape, filter.shape, kernel.attributes), graph);
  return method?.poolable === true ? { x, filter, bias, relu, sum, method } : undefined;
}

/** The pooled result [H / 2, W / 2, n, O]. */
export function pooledResult(pool: PooledConvolution, context: LoweringContext): Value {
  const { graph, value } = context;
  const maxima = pool.method.pooledImagesOf(folded(pool, context).map(({ max }) => max));
  const sum = pool.bias === undefined ? maxima : graph.node("Add", [maxima, value(pool.bias)], maxima);
  return pool.relu ? graph.node("Relu", [sum], sum) : sum;
}

interface Windows {
  readonly max: Value;
  /** [2, 2, …]: where a position, by column and row, has a window's first maximum in row-major order. */
  readonly first: Value;
}

function folded({ method, x, filter }: PooledConvolution, { graph, value, spatial }: LoweringContext): Windows[] {
  return method.forward(spatial(x), value(filter), "pool").map((rows) => fold(rows, graph));
}

/** Columns, then rows; the first of equals wins. */
function fold(rows: Value, graph: GraphBuilder): Windows {
  const length = (rows.shape[0] * rows.shape[1]) / 4;
  const columns = halves(graph.reshape(rows, [2, 2, length]), 0, graph);
  const byColumn = larger(columns, graph);
  const byRow = larger(halves(byColumn.max, 1, graph), graph);
  const winningRow = joined(byRow.first, 1, graph);
  const winningColumn = joined(byColumn.first, 0, graph);
  const type = { type: "bool", shape: [2, 2, length] } as const;
  return {
    max: graph.reshape(byRow.max, [1, length]),
    first: graph.node("And", [winningColumn, winningRow], type),
  };
}

function halves(value: Value, axis: number, graph: GraphBuilder): [Value, Value] {
  const shape = value.shape.map((length, i) => (i === axis ? length / 2 : length));
  const type = { type: value.type, shape };
  const [first, second] = graph.nodes("Split", [value], [type, type], { axis, num_outputs: 2 });
  return [first, second];
}

/** The larger of two, and where it is the first and where the second. */
function larger([a, b]: [Value, Value], graph: GraphBuilder): { max: Value; first: [Value, Value] } {
  const type = { type: "bool", shape: a.shape } as const;
  const isFirst = graph.node("GreaterOrEqual", [a, b], type);
  return { max: graph.node("Max", [a, b], a), first: [isFirst, graph.node("Not", [isFirst], type)] };
}

function joined([a, b]: [Value, Value], axis: number, graph: GraphBuilder): Value {
  const shape = a.shape.map((length, i) => (i === axis ? 2 * length : length));
  return graph.node("Concat", [a, b], { type: a.type, shape }, { axis });
}

/** A traced value that is the gradient of a pooled convolution's result, before pooling, bias and ReLU. */
export interface PooledGradient {
  readonly pool: PooledConvolution;
  /** The gradient of the pooled result. */
  readonly dy: TracedValue;
}

export function pooledGradient(traced: TracedValue, context: LoweringContext): PooledGradient | undefined {
  const kernel = originKernel(traced);
  if (kernel?.name === "MaxPoolGrad") {
    const pool = pooledConvolution(kernel.inputs.input, kernel.attributes, context);
    return pool === undefined || pool.relu ? undefined : { pool, dy: kernel.inputs.dy };
  }
  if (kernel?.name !== "Multiply") return undefined;
  const { a, b } = kernel.inputs;
  for (const [gradient, factor] of [
    [a, b],
    [b, a],
  ]) {
    const step = originKernel(factor);
    const grad = originKernel(gradient);
    if (grad?.name !== "MaxPoolGrad" || step?.name !== "Step" || (step.attributes.alpha ?? 0) !== 0) continue;
    const pool = pooledConvolution(grad.inputs.input, grad.attributes, context);
    if (pool?.relu && origin(step.inputs.x) === origin(pool.sum)) return { pool, dy: grad.inputs.dy };
  }
  return undefined;
}

/** The gradient of the maxima [H / 2, W / 2, n, O]: nothing where ReLU was off. */
export function maximaGradient({ pool, dy }: PooledGradient, context: LoweringContext): Value {
  const { graph, spatial } = context;
  const gradient = spatial(dy);
  if (!pool.relu) return gradient;
  const on = graph.node("Greater", [pooledResult(pool, context), graph.scalar(0)], {
    type: "bool",
    shape: gradient.shape,
  });
  return where(on, gradient, graph);
}

/** The gradient where the mask is on, and zero elsewhere: a product is faster than ONNX Runtime's Where. */
function where(mask: Value, gradient: Value, graph: GraphBuilder): Value {
  const factor = castTo("float32", mask, { graph });
  return graph.node("Mul", [factor, gradient], factor);
}

/** The gradient of the convolution's result, in parts [4, …] in pool order. */
export function windowsGradient(gradient: PooledGradient, context: LoweringContext): Value[] {
  const { graph } = context;
  const { method } = gradient.pool;
  const windows = folded(gradient.pool, context);
  return method.windowsOf(maximaGradient(gradient, context)).map((maxima, i) => {
    const { first } = windows[i];
    const [, , length] = first.shape;
    return graph.reshape(where(first, graph.reshape(maxima, [1, 1, length]), graph), [4, length]);
  });
}

/** Sums over all pixels of a batch, the gradient of a bias, are sums of the maxima's gradient. */
export function sumOfPooledGradient(
  { inputs: { x }, attributes: { axis, keepDims } }: TracedKernel,
  context: LoweringContext,
): Value | undefined {
  if (keepDims === true || String(axis) !== "0,1,2") return undefined;
  const gradient = pooledGradient(x, context);
  if (gradient === undefined) return undefined;
  const { graph } = context;
  const type = { type: "float32", shape: [x.shape[3]] } as const;
  return graph.node("ReduceSum", [maximaGradient(gradient, context), graph.integers([0, 1, 2])], type, { keepdims: 0 });
}
