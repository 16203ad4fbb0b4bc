import type { GraphBuilder, Value } from "../graph-builder.ts";
import { type KernelTable, type LoweringContext, sizeOf, type TracedKernel, type TracedValue } from "../kernel.ts";

/**
 * Not a kernel of tfjs: Σ_t a_tᵀ b_t, the inputs being a0, b0, a1, b1, …; one product of the rows put together. It is not
 * added to a weight by the product itself, which would round the sum to the weight's digits in each part of the many rows.
 */
export const SUM_OF_PRODUCTS: KernelTable = {
  SumOfProducts: {
    infer: (_, { shape }) => ({ type: "float32", shape: shape as number[] }),
    lower: sumOfProducts,
  },
};

function sumOfProducts({ inputs, attributes }: TracedKernel, { graph, value }: LoweringContext): Value {
  const terms = Array.from({ length: Object.keys(inputs).length / 2 }, (_, t) => t);
  const left = stackedRows(
    terms.map((t) => inputs[`a${t}`]),
    value,
    graph,
  );
  const right = stackedRows(
    terms.map((t) => inputs[`b${t}`]),
    value,
    graph,
  );
  const type = { type: "float32", shape: [left.shape[1], right.shape[1]] } as const;
  return graph.reshape(graph.node("Gemm", [left, right], type, { transA: 1 }), attributes.shape as number[]);
}

function stackedRows(matrices: readonly TracedValue[], value: LoweringContext["value"], graph: GraphBuilder): Value {
  const parts = matrices.map((matrix) => {
    const columns = columnsOf(matrix);
    return graph.reshape(value(matrix), [sizeOf(matrix.shape) / columns, columns]);
  });
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  return graph.node("Concat", parts, { type: "float32", shape: [rows, parts[0].shape[1]] }, { axis: 0 });
}

function columnsOf({ shape }: TracedValue): number {
  return shape[shape.length - 1];
}
