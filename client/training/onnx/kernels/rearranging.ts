import type { GraphBuilder, Value, ValueType } from "../graph-builder.ts";
import { type KernelTable, sizeOf, type TracedValue } from "../kernel.ts";
import { castTo } from "./elementwise.ts";

/** Kernels that put tensors together, take them apart, and look rows up. */
export const REARRANGING: KernelTable = {
  Concat: {
    infer: (inputs, { axis }) => concatenated(list(inputs), Number(axis)),
    lower: ({ inputs, attributes }, { graph, value }) => {
      const parts = list(inputs);
      const type = concatenated(parts, Number(attributes.axis));
      return graph.node("Concat", parts.map(value), type, { axis: axisOf(attributes.axis, type.shape.length) });
    },
  },
  Pack: {
    infer: (inputs, { axis }) => stacked(list(inputs), Number(axis)),
    lower: ({ inputs, attributes }, { graph, value }) => {
      const parts = list(inputs);
      const type = stacked(parts, Number(attributes.axis));
      const axis = axisOf(attributes.axis, type.shape.length);
      const slices = parts.map((part) => graph.reshape(value(part), withLength(type.shape, axis, 1)));
      return slices.length === 1 ? slices[0] : graph.node("Concat", slices, type, { axis });
    },
  },
  SplitV: {
    infer: ({ x }, attributes) => splitTypes(x, splitSizes(x, attributes), axisOf(attributes.axis, x.shape.length)),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const axis = axisOf(attributes.axis, x.shape.length);
      return split(value(x), splitSizes(x, attributes), axis, graph);
    },
  },
  Unpack: {
    infer: ({ value }, attributes) => {
      const axis = axisOf(attributes.axis, value.shape.length);
      const shape = value.shape.filter((_, i) => i !== axis);
      return Array.from({ length: value.shape[axis] }, () => ({ type: value.type, shape }));
    },
    lower: ({ inputs, attributes }, { graph, value }) => {
      const whole = value(inputs.value);
      const axis = axisOf(attributes.axis, whole.shape.length);
      const shape = whole.shape.filter((_, i) => i !== axis);
      const sizes = new Array<number>(whole.shape[axis]).fill(1);
      return split(whole, sizes, axis, graph).map((part) => graph.reshape(part, shape));
    },
  },
  Slice: {
    infer: ({ x }, attributes) => ({ type: x.type, shape: sliceOf(x, attributes).shape }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const { begin, shape } = sliceOf(x, attributes);
      if (shape.join() === x.shape.join()) return value(x);
      const end = begin.map((start, i) => start + shape[i]);
      return graph.node("Slice", [value(x), graph.integers(begin), graph.integers(end)], { type: x.type, shape });
    },
  },
  PadV2: {
    infer: ({ x }, { paddings }) => ({ type: x.type, shape: paddedShape(x, paddings as Paddings) }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const paddings = attributes.paddings as Paddings;
      const pads = graph.integers([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
      const fill = graph.scalar(Number(attributes.constantValue));
      return graph.node("Pad", [value(x), pads, fill], { type: x.type, shape: paddedShape(x, paddings) });
    },
  },
  Reverse: {
    infer: ({ x }) => x,
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const axes = [attributes.dims as number | number[]].flat().map((axis) => axisOf(axis, x.shape.length));
      // From the last to before the first, which ONNX writes as a number below −length.
      const [starts, ends, steps] = [-1, Number.MIN_SAFE_INTEGER, -1].map((n) => graph.integers(axes.map(() => n)));
      return graph.node("Slice", [value(x), starts, ends, graph.integers(axes), steps], x);
    },
  },
  Tile: {
    infer: ({ x }, { reps }) => ({ type: x.type, shape: x.shape.map((length, i) => length * (reps as number[])[i]) }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const reps = attributes.reps as number[];
      const shape = x.shape.map((length, i) => length * reps[i]);
      return graph.node("Tile", [value(x), graph.integers(reps)], { type: x.type, shape });
    },
  },
  GatherV2: {
    infer: ({ x, indices }, attributes) => ({ type: x.type, shape: gatheredShape(x, indices, attributes) }),
    lower: ({ inputs: { x, indices }, attributes }, { graph, value }) => {
      const shape = gatheredShape(x, indices, attributes);
      const axis = axisOf(attributes.axis, x.shape.length);
      return graph.node("Gather", [value(x), value(indices)], { type: x.type, shape }, { axis });
    },
  },
  UnsortedSegmentSum: {
    infer: ({ x, segmentIds }, { numSegments }) => ({
      type: x.type,
      shape: [Number(numSegments), ...x.shape.slice(segmentIds.shape.length)],
    }),
    lower: ({ inputs: { x, segmentIds }, attributes }, { graph, value }) => {
      const ids = graph.reshape(castTo("int64", value(segmentIds), { graph }), [sizeOf(segmentIds.shape), 1]);
      const shape = [Number(attributes.numSegments), ...x.shape.slice(segmentIds.shape.length)];
      const zeros = graph.constant({ type: "float32", shape }, new Float32Array(sizeOf(shape)));
      const rows = graph.reshape(value(x), [ids.shape[0], ...shape.slice(1)]);
      return graph.node("ScatterND", [zeros, ids, rows], { type: "float32", shape }, { reduction: "add" });
    },
  },
};

type Paddings = readonly (readonly [before: number, after: number])[];

/** tfjs gives a list of tensors as inputs named 0, 1, …. */
function list(inputs: Readonly<Record<string, TracedValue>>): TracedValue[] {
  return Object.keys(inputs).map((_, i) => inputs[i]);
}

function axisOf(axis: unknown, rank: number): number {
  const given = Number(axis);
  return given < 0 ? given + rank : given;
}

function withLength(shape: readonly number[], axis: number, length: number): number[] {
  return shape.map((old, i) => (i === axis ? length : old));
}

function concatenated(parts: readonly TracedValue[], along: number): ValueType {
  const { type, shape } = parts[0];
  const axis = axisOf(along, shape.length);
  const length = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  return { type, shape: withLength(shape, axis, length) };
}

function stacked(parts: readonly TracedValue[], along: number): ValueType {
  const { type, shape } = parts[0];
  const axis = axisOf(along, shape.length + 1);
  return { type, shape: [...shape.slice(0, axis), parts.length, ...shape.slice(axis)] };
}

function splitSizes(x: TracedValue, { numOrSizeSplits, axis }: Readonly<Record<string, unknown>>): number[] {
  const length = x.shape[axisOf(axis, x.shape.length)];
  if (typeof numOrSizeSplits === "number") return new Array<number>(numOrSizeSplits).fill(length / numOrSizeSplits);
  const sizes = numOrSizeSplits as number[];
  const known = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  // At most one size is −1: what the others leave.
  return sizes.map((size) => (size === -1 ? length - known : size));
}

function splitTypes(x: ValueType, sizes: readonly number[], axis: number): ValueType[] {
  return sizes.map((size) => ({ type: x.type, shape: withLength(x.shape, axis, size) }));
}

function split(value: Value, sizes: readonly number[], axis: number, graph: GraphBuilder): Value[] {
  if (sizes.length === 1) return [value];
  return graph.nodes("Split", [value, graph.integers(sizes)], splitTypes(value, sizes, axis), { axis });
}

function sliceOf(x: TracedValue, { begin, size }: Readonly<Record<string, unknown>>) {
  const starts = begin as number[];
  const shape = (size as number[]).map((length, i) => (length === -1 ? x.shape[i] - starts[i] : length));
  return { begin: starts, shape };
}

function paddedShape(x: TracedValue, paddings: Paddings): number[] {
  return x.shape.map((length, i) => paddings[i][0] + length + paddings[i][1]);
}

function gatheredShape(x: TracedValue, indices: TracedValue, attributes: Readonly<Record<string, unknown>>): number[] {
  if (Number(attributes.batchDims ?? 0) !== 0) throw new Error("Gathering with batch dimensions is not traced.");
  const axis = axisOf(attributes.axis, x.shape.length);
  return [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
}
