import type { Value } from "../graph-builder.ts";
import { type KernelLowering, type KernelTable, type LoweringContext, sizeOf, type TracedKernel } from "../kernel.ts";
import { activate } from "./elementwise.ts";

const matMul: KernelLowering = {
  infer: ({ a, b }, attributes) => {
    const { batch, rows, columns } = extents(a.shape, b.shape, attributes);
    return { type: "float32", shape: [...batch, rows, columns] };
  },
  lower: (kernel, context) => product(kernel, context),
  addTo: (base, kernel, context) => context.graph.reshape(product(kernel, context, base), base.shape),
};

/** Matrix products. */
export const DENSE: KernelTable = {
  BatchMatMul: matMul,
  _FusedMatMul: {
    infer: matMul.infer,
    lower: (kernel, context) => {
      const bias = kernel.inputs.bias;
      const sum = product(kernel, context, bias === undefined ? undefined : context.value(bias));
      return activate(kernel.attributes.activation, sum, context);
    },
  },
};

/** a · b, or a · b + `plus`; tfjs gives matrices of dense layers a leading dimension of one, which is looked through. */
function product(kernel: TracedKernel, context: LoweringContext, plus?: Value): Value {
  const { graph, value } = context;
  const { a, b } = kernel.inputs;
  const { batch, rows, columns, inner, transA, transB } = extents(a.shape, b.shape, kernel.attributes);
  const shape = [...batch, rows, columns];
  if (sizeOf(batch) === 1) {
    const left = graph.reshape(value(a), transA ? [inner, rows] : [rows, inner]);
    const weight = context.deferred(b);
    if (weight !== undefined) {
      return graph.reshape(transB ? weight.timesTransposed(left) : weight.times(left, plus), shape);
    }
    const right = graph.reshape(value(b), transB ? [columns, inner] : [inner, columns]);
    const output = { type: "float32", shape: [rows, columns] } as const;
    const attributes = { transA: transA ? 1 : 0, transB: transB ? 1 : 0 };
    if (plus === undefined) {
      const matrix =
        transA || transB
          ? graph.node("Gemm", [left, right], output, attributes)
          : graph.node("MatMul", [left, right], output);
      return graph.reshape(matrix, shape);
    }
    const addend = plus.shape.length > 2 ? graph.reshape(plus, plus.shape.slice(-2)) : plus;
    return graph.reshape(graph.node("Gemm", [left, right, addend], output, attributes), shape);
  }
  const left = transA ? transposed(value(a), graph) : value(a);
  const right = transB ? transposed(value(b), graph) : value(b);
  const matrices = graph.node("MatMul", [left, right], { type: "float32", shape });
  return plus === undefined ? matrices : graph.node("Add", [matrices, plus], { type: "float32", shape });
}

function extents(a: readonly number[], b: readonly number[], attributes: TracedKernel["attributes"]) {
  const transA = attributes.transposeA === true;
  const transB = attributes.transposeB === true;
  const [rows, inner] = transA ? [a[a.length - 1], a[a.length - 2]] : a.slice(-2);
  const columns = transB ? b[b.length - 2] : b[b.length - 1];
  const batch = a.length >= b.length ? a.slice(0, -2) : b.slice(0, -2);
  return { batch, rows, columns, inner, transA, transB };
}

function transposed(value: Value, graph: LoweringContext["graph"]): Value {
  const axes = value.shape.map((_, i) => i);
  const perm = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
  return graph.node("Transpose", [value], { type: value.type, shape: perm.map((i) => value.shape[i]) }, { perm });
}
