import type { DeferredMatrix } from "./deferred-updates.ts";
import type { GraphBuilder, Value, ValueType } from "./graph-builder.ts";
import type { ElementType } from "./model-proto.ts";

/** A tensor that the tracing backend saw: an input, a constant, or what a kernel returned. */
export interface TracedValue {
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly source:
    | { readonly kind: "input"; readonly name: string }
    | { readonly kind: "constant"; readonly values: Float32Array | Int32Array | Uint8Array }
    | { readonly kind: "kernel"; readonly kernel: TracedKernel; readonly index: number };
}

/** One call of a tfjs kernel. Inputs and attributes have the names that tfjs gives them. */
export interface TracedKernel {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TracedValue>>;
  readonly attributes: KernelAttributes;
  /** The layer whose forward pass called it; for a gradient, the layer that it is the gradient of, where known. */
  readonly layer: string | undefined;
}

export type KernelAttributes = Readonly<Record<string, unknown>>;

/** Where kernels are lowered to: a graph, and the values that traced values have in it. */
export interface LoweringContext {
  readonly graph: GraphBuilder;
  /** The value as tfjs lays it out. */
  value(traced: TracedValue): Value;
  /** Images, [n, H, W, C] in tfjs, as [H, W, n, C]. */
  spatial(traced: TracedValue): Value;
  /** The weight that a value is, where its updates are deferred. */
  deferred(traced: TracedValue): DeferredMatrix | undefined;
}

/** What the tracer has to know about one tfjs kernel. A new kernel is one such entry. */
export interface KernelLowering {
  /** Type and shape of the result, as tfjs's own kernel would return it. */
  infer(inputs: Readonly<Record<string, TracedValue>>, attributes: KernelAttributes): OneOrMore<ValueType>;
  /** Adds ONNX nodes that compute it. */
  lower(kernel: TracedKernel, context: LoweringContext): OneOrMore<Value>;
  /** The result as [H, W, n, C], where that is how it comes about: then it is transposed only where tfjs's order is asked for. */
  lowerSpatial?(kernel: TracedKernel, context: LoweringContext): Value | undefined;
  /** Adds nodes that compute `base` plus the result, where that is cheaper than a sum: how weights are updated. */
  addTo?(base: Value, kernel: TracedKernel, context: LoweringContext): Value;
}

/** A list where a kernel has several results, however many there are. */
export type OneOrMore<T> = T | readonly T[];

export type KernelTable = Readonly<Record<string, KernelLowering>>;

/** The kernel that made a value, looking through kernels that only rename it. */
export function producer(traced: TracedValue, transparent: readonly string[] = ["Identity"]): TracedKernel | undefined {
  if (traced.source.kind !== "kernel") return undefined;
  const { kernel } = traced.source;
  return transparent.includes(kernel.name) ? producer(kernel.inputs.x, transparent) : kernel;
}

/** The value itself, behind kernels that leave it what it is. */
export function origin(traced: TracedValue): TracedValue {
  if (traced.source.kind !== "kernel") return traced;
  const { name, inputs } = traced.source.kernel;
  const same =
    name === "Identity" ||
    (name === "Reshape" && inputs.x.shape.join() === traced.shape.join()) ||
    (name === "Cast" && inputs.x.type === traced.type);
  return same ? origin(inputs.x) : traced;
}

/** The kernel that made a value, behind kernels that leave it what it is. */
export function originKernel(traced: TracedValue): TracedKernel | undefined {
  const { source } = origin(traced);
  return source.kind === "kernel" ? source.kernel : undefined;
}

/** The name of the graph's input that a value is, whatever its shape. */
export function rootInput({ source }: TracedValue): string | undefined {
  if (source.kind === "input") return source.name;
  if (source.kind === "constant") return undefined;
  const { name, inputs } = source.kernel;
  return name === "Identity" || name === "Reshape" ? rootInput(inputs.x) : undefined;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
