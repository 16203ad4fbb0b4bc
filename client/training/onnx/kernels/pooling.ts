import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelTable } from "../kernel.ts";
import { pooledConvolution, pooledResult } from "./pooled-convolution.ts";
import { gatherRows } from "./rows.ts";
import { poolInfo, type WindowInfo } from "./window-info.ts";

/**
 * Max-pooling. Its gradient goes to the first maximum of a window in row-major order, by masks that the forward pass
 * makes; comparing the input with its maximum would count a gradient once for each of several equal values.
 */
export const POOLING: KernelTable = {
  MaxPool: {
    lowerSpatial: ({ inputs: { x }, attributes }, context) => {
      const pool = pooledConvolution(x, attributes, context);
      return pool === undefined ? undefined : pooledResult(pool, context);
    },
    infer: ({ x }, attributes) => ({ type: "float32", shape: poolInfo(x.shape, attributes).outShape }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const info = poolInfo(x.shape, attributes);
      if (tiles(info)) return graph.reshape(foldTiles(value(x), info, graph).max, info.outShape);
      return graph.reshape(windows(value(x), info, graph).max, info.outShape);
    },
  },
  MaxPoolGrad: {
    infer: ({ input }) => ({ type: "float32", shape: input.shape }),
    lower: ({ inputs: { dy, input }, attributes }, { graph, value }) => {
      const info = poolInfo(input.shape, attributes);
      const gradient = tiles(info) ? unfoldTiles : scatterWindows;
      return graph.reshape(gradient(value(input), value(dy), info, graph), input.shape);
    },
  },
};

/** Whether the windows tile the image: no overlap, no padding, nothing left over. */
function tiles(info: WindowInfo): boolean {
  return (
    info.strideHeight === info.filterHeight &&
    info.strideWidth === info.filterWidth &&
    info.outHeight * info.filterHeight === info.inHeight &&
    info.outWidth * info.filterWidth === info.inWidth
  );
}

interface Fold {
  readonly max: Value;
  /** For each slice after the first, where it exceeds all before it. */
  readonly exceeds: readonly Value[];
}

/** The maximum along an axis, slice by slice; on a tie the first slice keeps it. */
function fold(value: Value, axis: number, graph: GraphBuilder): Fold {
  const parts = value.shape[axis];
  if (parts === 1) return { max: value, exceeds: [] };
  const shape = value.shape.map((length, i) => (i === axis ? 1 : length));
  const type = { type: "float32", shape } as const;
  const slices = graph.nodes("Split", [value], new Array(parts).fill(type), { axis, num_outputs: parts });
  let max = slices[0];
  const exceeds: Value[] = [];
  for (const slice of slices.slice(1)) {
    exceeds.push(graph.node("Greater", [slice, max], { type: "bool", shape }));
    max = graph.node("Max", [max, slice], type);
  }
  return { max, exceeds };
}

/** The gradient of {@link fold}: each element of `dy` to the slice that won. */
function unfold(dy: Value, { exceeds }: Fold, axis: number, graph: GraphBuilder): Value {
  if (exceeds.length === 0) return dy;
  const zero = graph.scalar(0);
  const slices: Value[] = [];
  let rest = dy;
  for (const mask of [...exceeds].reverse()) {
    slices.unshift(graph.node("Where", [mask, rest, zero], dy));
    rest = graph.node("Where", [mask, zero, rest], dy);
  }
  const shape = dy.shape.map((length, i) => (i === axis ? exceeds.length + 1 : length));
  return graph.node("Concat", [rest, ...slices], { type: "float32", shape }, { axis });
}

/** Columns first, then rows: ties then go to the first row, and in it to the first column. */
function foldTiles(x: Value, info: WindowInfo, graph: GraphBuilder): { max: Value; columns: Fold; rows: Fold } {
  const { batchSize, outHeight, filterHeight, outWidth, filterWidth, inChannels } = info;
  const tiled = graph.reshape(x, [batchSize * outHeight, filterHeight, outWidth, filterWidth, inChannels]);
  const columns = fold(tiled, 3, graph);
  const rows = fold(columns.max, 1, graph);
  return { max: rows.max, columns, rows };
}

function unfoldTiles(x: Value, dy: Value, info: WindowInfo, graph: GraphBuilder): Value {
  const { columns, rows, max } = foldTiles(x, info, graph);
  return unfold(unfold(graph.reshape(dy, max.shape), rows, 1, graph), columns, 3, graph);
}

/** Any windows: their elements gathered as [n, windows, elements, C], −∞ for the padding. */
function windows(x: Value, info: WindowInfo, graph: GraphBuilder): { max: Value; winner: Value; reads: Int32Array } {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, filterHeight, filterWidth } = info;
  const pixels = inHeight * inWidth;
  const elements = filterHeight * filterWidth;
  const count = outHeight * outWidth;
  const reads = new Int32Array(count * elements).fill(pixels);
  for (let w = 0; w < count; w++) {
    for (let e = 0; e < elements; e++) {
      const row = Math.floor(w / outWidth) * info.strideHeight - info.padInfo.top + Math.floor(e / filterWidth);
      const column = (w % outWidth) * info.strideWidth - info.padInfo.left + (e % filterWidth);
      const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
      if (inside) reads[w * elements + e] = row * inWidth + column;
    }
  }
  const gathered = gatherRows(graph.reshape(x, [batchSize, pixels, inChannels]), reads, -Infinity, graph);
  const split = graph.reshape(gathered, [batchSize, count, elements, inChannels]);
  const shape = [batchSize, count, 1, inChannels];
  const max = graph.node("ReduceMax", [split, graph.integers([2])], { type: "float32", shape }, { keepdims: 1 });
  // ONNX's ArgMax takes the first of equal values unless it is told otherwise.
  const winner = graph.node("ArgMax", [split], { type: "int64", shape }, { axis: 2, keepdims: 1 });
  return { max, winner, reads };
}

/** Each pixel sums what the windows that hold it send it: the inverse of the table that gathered them. */
function scatterWindows(x: Value, dy: Value, info: WindowInfo, graph: GraphBuilder): Value {
  const { winner, reads } = windows(x, info, graph);
  const [batch, count, , channels] = winner.shape;
  const elements = info.filterHeight * info.filterWidth;
  const pixels = info.inHeight * info.inWidth;
  const positions = graph.reshape(graph.integers(Array.from({ length: elements }, (_, e) => e)), [1, 1, elements, 1]);
  const shape = [batch, count, elements, channels];
  const won = graph.node("Equal", [winner, positions], { type: "bool", shape });
  const sent = graph.node("Where", [won, graph.reshape(dy, winner.shape), graph.scalar(0)], { type: "float32", shape });

  const readers: number[][] = Array.from({ length: pixels }, () => []);
  reads.forEach((pixel, place) => {
    if (pixel < pixels) readers[pixel].push(place);
  });
  const most = Math.max(1, ...readers.map((places) => places.length));
  const table = new Int32Array(pixels * most).fill(reads.length);
  for (const [pixel, places] of readers.entries()) table.set(places, pixel * most);
  const received = gatherRows(graph.reshape(sent, [batch, reads.length, channels]), table, 0, graph);
  const perPixel = graph.reshape(received, [batch, pixels, most, channels]);
  const sum = { type: "float32", shape: [batch, pixels, channels] } as const;
  return graph.node("ReduceSum", [perPixel, graph.integers([2])], sum, { keepdims: 0 });
}
