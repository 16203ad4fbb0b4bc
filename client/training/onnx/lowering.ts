import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { DeferredMatrix } from "./deferred-updates.ts";
import type { GraphBuilder, Value, ValueType } from "./graph-builder.ts";
import { type LoweringContext, origin, rootInput, type TracedKernel, type TracedValue } from "./kernel.ts";
import { KERNELS } from "./kernels/index.ts";
import { UntraceableModelError } from "./untraceable-model-error.ts";
import { orderOf } from "./uses.ts";

/** Lowers values when they are asked for, so that what no output needs is never in the graph. */
export function lowering(
  graph: GraphBuilder,
  input: (name: string, type: ValueType) => Value | undefined,
  kernels = KERNELS,
  deferred: ReadonlyMap<string, DeferredMatrix> = new Map(),
): LoweringContext {
  const values = new Map<TracedValue, Value>();
  const results = new Map<TracedKernel, readonly Value[]>();
  const images = new Map<TracedKernel, Value | undefined>();
  const context: LoweringContext = {
    graph,
    value(traced) {
      const source = origin(traced);
      const known = values.get(source);
      if (known !== undefined) return known;
      const spatial = spatially(source);
      const value = spatial === undefined ? lower(source) : transposed(spatial, [2, 0, 1, 3], graph);
      values.set(source, value);
      return value;
    },
    spatial(traced) {
      return spatially(origin(traced)) ?? transposed(context.value(traced), [1, 2, 0, 3], graph);
    },
    deferred: (traced) => deferred.get(rootInput(traced) ?? ""),
  };

  /** The value as [H, W, n, C], where its kernel makes it so. */
  function spatially({ source }: TracedValue): Value | undefined {
    if (source.kind !== "kernel") return undefined;
    const { kernel } = source;
    if (images.has(kernel)) return images.get(kernel);
    const value = named(kernel, () => kernels[kernel.name].lowerSpatial?.(kernel, context));
    images.set(kernel, value);
    return value;
  }

  function lower({ source, type, shape }: TracedValue): Value {
    switch (source.kind) {
      case "input": {
        const value = input(source.name, { type, shape });
        if (value === undefined) throw new Error(`The graph has no input "${source.name}".`);
        return value;
      }
      case "constant":
        return graph.constant({ type, shape }, source.values);
      case "kernel":
        return resultsOf(source.kernel)[source.index];
    }
  }

  function resultsOf(kernel: TracedKernel): readonly Value[] {
    const known = results.get(kernel);
    if (known !== undefined) return known;
    const made = [named(kernel, () => kernels[kernel.name].lower(kernel, context))].flat();
    results.set(kernel, made);
    return made;
  }

  return context;
}

/** Above this many values a chain of them may be too long to be lowered from its end by calls within calls. */
const DEEP = 1_500;

/** Lowers what deep outputs are computed from, from the inputs on; what no output turns out to read is left out later. */
export function lowerInOrder(outputs: readonly TracedValue[], context: LoweringContext): void {
  const order = orderOf(outputs);
  if (order.length <= DEEP) return;
  for (const value of order) if (value.source.kind === "kernel") context.value(value);
}

/** What goes wrong in a kernel's lowering is said with its name. */
function named<T>(kernel: TracedKernel, lower: () => T): T {
  try {
    return lower();
  } catch (cause) {
    if (cause instanceof MurmurError || !(cause instanceof Error)) throw cause;
    const { name, layer } = kernel;
    throw new UntraceableModelError(`the kernel ${name} has no such form: ${cause.message}`, { kernel: name, layer });
  }
}

/** Moves the batch; with one image there is nothing to move. */
function transposed(value: Value, perm: readonly number[], graph: GraphBuilder): Value {
  const shape = perm.map((axis) => value.shape[axis]);
  const batch = value.shape[perm[0] === 2 ? 2 : 0];
  if (batch === 1) return graph.reshape(value, shape);
  return graph.node("Transpose", [value], { type: value.type, shape }, { perm });
}
