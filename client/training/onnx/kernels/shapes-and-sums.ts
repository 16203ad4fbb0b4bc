import { backend_util } from "@tensorflow/tfjs-core";
import type { Value, ValueType } from "../graph-builder.ts";
import {
  type KernelAttributes,
  type KernelLowering,
  type KernelTable,
  type LoweringContext,
  sizeOf,
  type TracedKernel,
  type TracedValue,
} from "../kernel.ts";
import type { ElementType } from "../model-proto.ts";
import { castTo } from "./elementwise.ts";

/** Kernels that rearrange, make or reduce tensors. */
export const SHAPES_AND_SUMS: KernelTable = {
  Reshape: {
    infer: ({ x }, { shape }) => {
      const wanted = fullShape(x, shape as number[]);
      if (sizeOf(x.shape) === sizeOf(wanted)) return { type: x.type, shape: wanted };
      throw new Error(`[${x.shape}] has not as many values as [${wanted}]`);
    },
    lower: ({ inputs: { x }, attributes }, { graph, value }) =>
      graph.reshape(value(x), fullShape(x, attributes.shape as number[])),
  },
  ExpandDims: {
    infer: ({ input }, { dim }) => ({ type: input.type, shape: withAxis(input.shape, Number(dim)) }),
    lower: ({ inputs: { input }, attributes }, { graph, value }) =>
      graph.reshape(value(input), withAxis(input.shape, Number(attributes.dim))),
  },
  Transpose: {
    infer: ({ x }, { perm }) => ({ type: x.type, shape: (perm as number[]).map((axis) => x.shape[axis]) }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const perm = attributes.perm as number[];
      return graph.node("Transpose", [value(x)], { type: x.type, shape: perm.map((axis) => x.shape[axis]) }, { perm });
    },
  },
  Fill: {
    infer: (_, { shape, dtype }) => ({ type: (dtype ?? "float32") as ElementType, shape: shape as number[] }),
    lower: ({ attributes }, { graph }) => {
      const shape = attributes.shape as number[];
      const values = new Float32Array(sizeOf(shape)).fill(Number(attributes.value));
      const filled = graph.constant({ type: "float32", shape }, values);
      return castTo((attributes.dtype ?? "float32") as ElementType, filled, { graph });
    },
  },
  ZerosLike: filledLike(0),
  OnesLike: filledLike(1),
  OneHot: {
    infer: ({ indices }, { depth, dtype }) => ({
      type: dtype as ElementType,
      shape: [...indices.shape, Number(depth)],
    }),
    lower: ({ inputs: { indices }, attributes }, { graph, value }) => {
      const { depth, onValue, offValue, dtype } = attributes;
      const type = { type: "int32", shape: [2] } as const;
      const hot = graph.node(
        "OneHot",
        [
          value(indices),
          graph.constant({ type: "int32", shape: [] }, Int32Array.of(Number(depth))),
          graph.constant({ ...type, type: "float32" }, Float32Array.of(Number(offValue), Number(onValue))),
        ],
        { type: "float32", shape: [...indices.shape, Number(depth)] },
        { axis: -1 },
      );
      return castTo(dtype as ElementType, hot, { graph });
    },
  },
  Sum: reduction("ReduceSum"),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  Mean: reduction("ReduceMean"),
  All: logical("ReduceMin"),
  Any: logical("ReduceMax"),
  ArgMax: {
    infer: ({ x }, { axis }) => ({ type: "int32", shape: x.shape.filter((_, i) => i !== Number(axis)) }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const axis = Number(attributes.axis);
      const shape = x.shape.filter((_, i) => i !== axis);
      const index = graph.node("ArgMax", [value(x)], { type: "int64", shape }, { axis, keepdims: 0 });
      return castTo("int32", index, { graph });
    },
  },
  Softmax: {
    infer: ({ logits }) => ({ type: "float32", shape: logits.shape }),
    lower: ({ inputs: { logits } }, { graph, value }) => graph.node("Softmax", [value(logits)], logits, { axis: -1 }),
  },
};

/** A shape in which −1 stands for what the other lengths leave. */
function fullShape({ shape }: ValueType, wanted: readonly number[]): readonly number[] {
  if (!wanted.includes(-1)) return wanted;
  const rest = -sizeOf(shape) / sizeOf(wanted);
  return wanted.map((length) => (length === -1 ? rest : length));
}

/** All and Any: the least and the greatest of truth values as integers. */
function logical(op: "ReduceMin" | "ReduceMax"): KernelLowering {
  const { infer, lower } = reduction(op);
  return {
    infer: (inputs, attributes) => ({ type: "bool", shape: infer(inputs, attributes).shape }),
    lower: (kernel, context) => castTo("bool", lower(kernel, context), context),
  };
}

interface Reduction extends KernelLowering {
  infer(inputs: Readonly<Record<string, TracedValue>>, attributes: KernelAttributes): ValueType;
  lower(kernel: TracedKernel, context: LoweringContext): Value;
}

function reduction(op: string): Reduction {
  const plan = (shape: readonly number[], attributes: Readonly<Record<string, unknown>>) => {
    const axes = reducedAxes(attributes.axis ?? attributes.reductionIndices, shape);
    const keep = attributes.keepDims === true;
    const [reduced] = backend_util.computeOutAndReduceShapes([...shape], axes);
    return { axes, keep, shape: keep ? shape.map((length, i) => (axes.includes(i) ? 1 : length)) : reduced };
  };
  return {
    // tfjs sums booleans as integers.
    infer: ({ x }, attributes) => ({
      type: x.type === "bool" ? "int32" : x.type,
      shape: plan(x.shape, attributes).shape,
    }),
    lower: ({ inputs: { x }, attributes }, { graph, value }): Value => {
      const { axes, keep, shape } = plan(x.shape, attributes);
      const input = x.type === "bool" ? castTo("int32", value(x), { graph }) : value(x);
      // Sums over axes of length one are views.
      if (axes.every((axis) => x.shape[axis] === 1)) return graph.reshape(input, shape);
      return graph.node(op, [input, graph.integers(axes)], { type: input.type, shape }, { keepdims: keep ? 1 : 0 });
    },
  };
}

/** All axes where none are named. Max calls them reductionIndices, Sum and Mean axis. */
function reducedAxes(axis: unknown, shape: readonly number[]): number[] {
  if (axis === undefined || axis === null) return shape.map((_, i) => i);
  const axes = Array.isArray(axis) ? (axis as number[]) : [Number(axis)];
  return axes.map((a) => (a < 0 ? a + shape.length : a));
}

function withAxis(shape: readonly number[], dim: number): number[] {
  const at = dim < 0 ? shape.length + dim + 1 : dim;
  return [...shape.slice(0, at), 1, ...shape.slice(at)];
}

function filledLike(fill: number): KernelLowering {
  return {
    infer: ({ x }) => ({ type: x.type, shape: x.shape }),
    lower: ({ inputs: { x } }, { graph }) => {
      const values = new Float32Array(sizeOf(x.shape)).fill(fill);
      return castTo(x.type, graph.constant({ type: "float32", shape: x.shape }, values), { graph });
    },
  };
}
