import type { Value } from "../graph-builder.ts";
import {
  type KernelTable,
  type LoweringContext,
  origin,
  originKernel,
  producer,
  type TracedKernel,
  type TracedValue,
} from "../kernel.ts";
import { KERNELS } from "./index.ts";

/**
 * Shorter forms of what tfjs's softmax cross-entropy and its gradient are made of. Each is a rule about values, not about
 * the loss: a log-softmax in six kernels is one node, a factor that is the same everywhere stays a number, and what two
 * terms have in common is multiplied once.
 */
export function withShorterForms(table: KernelTable): KernelTable {
  const { Sub, Exp, Multiply, Cast } = table;
  return {
    ...table,
    Sub: {
      ...Sub,
      lower: (kernel, context) =>
        logSoftmax(kernel, context) ?? difference(kernel, context) ?? Sub.lower(kernel, context),
    },
    Cast: { ...Cast, lower: (kernel, context) => oneHotAsFloat(kernel, context) ?? Cast.lower(kernel, context) },
    Exp: { ...Exp, lower: (kernel, context) => softmax(kernel, context) ?? Exp.lower(kernel, context) },
    Multiply: { ...Multiply, lower: (kernel, context) => scaled(kernel, context) ?? Multiply.lower(kernel, context) },
  };
}

/** log softmax(x): (x − max x) − log Σ exp(x − max x), over the last axis. */
function logSoftmax(kernel: TracedKernel, { graph, value }: LoweringContext): Value | undefined {
  const x = logSoftmaxInput(kernel);
  return x === undefined ? undefined : graph.node("LogSoftmax", [value(x)], x, { axis: -1 });
}

function logSoftmaxInput({ name, inputs: { a, b } }: TracedKernel): TracedValue | undefined {
  if (name !== "Sub") return undefined;
  const shifted = originKernel(a);
  const log = originKernel(b);
  const sum = log?.name === "Log" ? originKernel(log.inputs.x) : undefined;
  const exp = sum?.name === "Sum" ? originKernel(sum.inputs.x) : undefined;
  if (shifted?.name !== "Sub" || exp?.name !== "Exp" || origin(exp.inputs.x) !== origin(a)) return undefined;
  const x = origin(shifted.inputs.a);
  const max = originKernel(shifted.inputs.b);
  if (max?.name !== "Max" || origin(max.inputs.x) !== x) return undefined;
  const kept = [...x.shape.slice(0, -1), 1].join();
  return b.shape.join() === kept && shifted.inputs.b.shape.join() === kept ? x : undefined;
}

/** A one-hot matrix of the type that is wanted: ONNX makes it of any. */
function oneHotAsFloat({ inputs: { x }, attributes: { dtype } }: TracedKernel, context: LoweringContext) {
  const kernel = originKernel(x);
  if (kernel?.name !== "OneHot" || dtype !== "float32") return undefined;
  return KERNELS.OneHot.lower({ ...kernel, attributes: { ...kernel.attributes, dtype } }, context);
}

/** exp of a log-softmax. */
function softmax({ inputs: { x } }: TracedKernel, { graph, value }: LoweringContext): Value | undefined {
  const kernel = originKernel(x);
  const logits = kernel === undefined ? undefined : logSoftmaxInput(kernel);
  return logits === undefined ? undefined : graph.node("Softmax", [value(logits)], logits, { axis: -1 });
}

/** One number in every place: `times` · `value`. */
interface Uniform {
  readonly times: number;
  readonly value: Value | undefined;
}

function uniform(traced: TracedValue, context: LoweringContext): Uniform | undefined {
  if (traced.type !== "float32") return undefined;
  const { source, shape } = origin(traced);
  if (source.kind === "constant") {
    const [first] = source.values;
    return source.values.length > 0 && source.values.every((value) => value === first)
      ? { times: Number(first), value: undefined }
      : undefined;
  }
  if (source.kind === "input") return shape.length === 0 ? { times: 1, value: context.value(traced) } : undefined;
  const { name, inputs } = source.kernel;
  switch (name) {
    case "Reshape":
    case "ExpandDims":
      return uniform(inputs.x ?? inputs.input, context);
    case "Neg": {
      const of = uniform(inputs.x, context);
      return of === undefined ? undefined : { ...of, times: -of.times };
    }
    case "Multiply": {
      const a = uniform(inputs.a, context);
      const b = a === undefined ? undefined : uniform(inputs.b, context);
      if (a === undefined || b === undefined || (a.value !== undefined && b.value !== undefined)) return undefined;
      return { times: a.times * b.times, value: a.value ?? b.value };
    }
    case "Sum":
      return sumOfOneHot(source.kernel, context);
    default:
      return undefined;
  }
}

/** Rows of a one-hot matrix sum to one. Labels are checked before they come here. */
function sumOfOneHot({ inputs: { x }, attributes }: TracedKernel, context: LoweringContext): Uniform | undefined {
  const axes = [attributes.axis].flat();
  if (axes.length !== 1 || (axes[0] !== x.shape.length - 1 && axes[0] !== -1)) return undefined;
  const product = originKernel(x);
  if (product?.name !== "Multiply") return undefined;
  const { a, b } = product.inputs;
  for (const [factor, matrix] of [
    [a, b],
    [b, a],
  ]) {
    const oneHot = producer(matrix, ["Identity", "Cast"]);
    const { onValue, offValue } = oneHot?.attributes ?? {};
    if (oneHot?.name !== "OneHot" || onValue !== 1 || offValue !== 0) continue;
    if (matrix.shape.join() === x.shape.join()) return uniform(factor, context);
  }
  return undefined;
}

/** A product with a uniform factor, as the other factor and the number. */
function factors(kernel: TracedKernel | undefined, context: LoweringContext) {
  if (kernel?.name !== "Multiply") return undefined;
  const { a, b } = kernel.inputs;
  for (const [factor, other] of [
    [a, b],
    [b, a],
  ]) {
    // Broadcasting is of the uniform factor only.
    if (
      other.shape.length < factor.shape.length ||
      factor.shape.some((length, i) => length > other.shape.slice(-factor.shape.length)[i])
    )
      continue;
    const number = uniform(factor, context);
    if (number !== undefined) return { other, number };
  }
  return undefined;
}

function scaled(kernel: TracedKernel, context: LoweringContext): Value | undefined {
  const parts = factors(kernel, context);
  return parts === undefined ? undefined : times(context.value(parts.other), parts.number, context);
}

/** u · p − u · q = u · (p − q). */
function difference({ inputs: { a, b } }: TracedKernel, context: LoweringContext): Value | undefined {
  if (a.shape.join() !== b.shape.join()) return undefined;
  const left = factors(originKernel(a), context);
  const right = left === undefined ? undefined : factors(originKernel(b), context);
  if (left === undefined || right === undefined) return undefined;
  if (left.number.times !== right.number.times || left.number.value?.name !== right.number.value?.name)
    return undefined;
  const p = context.value(left.other);
  return times(context.graph.node("Sub", [p, context.value(right.other)], p), left.number, context);
}

function times(value: Value, { times: by, value: factor }: Uniform, { graph }: LoweringContext): Value {
  const number =
    factor === undefined || by === 1
      ? (factor ?? graph.scalar(by))
      : graph.node("Mul", [factor, graph.scalar(by)], { type: "float32", shape: factor.shape });
  return factor === undefined && by === 1 ? value : graph.node("Mul", [value, graph.reshape(number, [])], value);
}
