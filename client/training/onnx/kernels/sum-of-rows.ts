import type { Value } from "../graph-builder.ts";
import { type LoweringContext, sizeOf, type TracedKernel } from "../kernel.ts";
import { KERNELS } from "./index.ts";
import { maximaGradient, pooledGradient } from "./pooled-convolution.ts";

/** base + Σ over all but the last axis, a bias and its update, as one product: 1ᵀ · x + base. */
export function addSumOfRows(base: Value, kernel: TracedKernel, context: LoweringContext): Value {
  const { graph, value } = context;
  const { x } = kernel.inputs;
  const columns = x.shape[x.shape.length - 1];
  if (!sumsRows(kernel) || sizeOf(base.shape) !== columns) {
    const [sum] = [KERNELS.Sum.lower(kernel, context)].flat();
    return graph.node("Add", [base, graph.reshape(sum, base.shape)], base);
  }
  const gradient = x.shape.length === 4 ? pooledGradient(x, context) : undefined;
  const addends = gradient === undefined ? value(x) : maximaGradient(gradient, context);
  const rows = graph.reshape(addends, [sizeOf(addends.shape) / columns, columns]);
  const ones = graph.constant({ type: "float32", shape: [1, rows.shape[0]] }, new Float32Array(rows.shape[0]).fill(1));
  const sum = graph.node("Gemm", [ones, rows, base], { type: "float32", shape: [1, columns] });
  return graph.reshape(sum, base.shape);
}

function sumsRows({ inputs: { x }, attributes: { axis } }: TracedKernel): boolean {
  const axes = [axis].flat().map((a) => (Number(a) < 0 ? Number(a) + x.shape.length : Number(a)));
  return (
    x.type === "float32" && x.shape.slice(0, -1).every((_, i) => axes.includes(i)) && !axes.includes(x.shape.length - 1)
  );
}
