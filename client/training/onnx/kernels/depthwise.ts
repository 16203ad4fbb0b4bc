import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelTable } from "../kernel.ts";
import { gatherRows } from "./rows.ts";
import { depthwiseTables, type WindowTables } from "./window-tables.ts";

/**
 * Depthwise convolutions: filter[tap, channel, multiple], output channel = channel · multiples + multiple. The taps of
 * each window are gathered once, [n, windows, taps, C], and multiplied element by element: there is no sum over channels
 * that a matrix product could do.
 */
export const DEPTHWISE: KernelTable = {
  DepthwiseConv2dNative: {
    infer: ({ x, filter }, attributes) => ({
      type: "float32",
      shape: depthwiseTables(x.shape, filter.shape, attributes).outShape,
    }),
    lower: ({ inputs: { x, filter }, attributes }, { graph, value }) => {
      const tables = depthwiseTables(x.shape, filter.shape, attributes);
      const { batch, windows, taps, channels, outShape } = tables;
      const multiples = filter.shape[3];
      const seen = graph.reshape(tapsOf(value(x), tables, graph), [batch, windows, taps, channels, 1]);
      const weights = graph.reshape(value(filter), [1, 1, taps, channels, multiples]);
      const shape = [batch, windows, taps, channels, multiples];
      return graph.reshape(sumOver(2, graph.node("Mul", [seen, weights], { type: "float32", shape }), graph), outShape);
    },
  },
  DepthwiseConv2dNativeBackpropFilter: {
    infer: (_, { filterShape }) => ({ type: "float32", shape: filterShape as number[] }),
    lower: ({ inputs: { x, dy }, attributes }, { graph, value }) => {
      const filterShape = attributes.filterShape as number[];
      const tables = depthwiseTables(x.shape, filterShape, attributes);
      const { batch, windows, taps, channels } = tables;
      const multiples = filterShape[3];
      const places = batch * windows;
      const seen = graph.reshape(tapsOf(value(x), tables, graph), [places, taps, channels, 1]);
      const slopes = graph.reshape(value(dy), [places, 1, channels, multiples]);
      const shape = [places, taps, channels, multiples];
      const products = graph.node("Mul", [seen, slopes], { type: "float32", shape });
      return graph.reshape(sumOver(0, products, graph), filterShape);
    },
  },
  DepthwiseConv2dNativeBackpropInput: {
    infer: (_, { inputShape }) => ({ type: "float32", shape: inputShape as number[] }),
    lower: ({ inputs: { dy, filter }, attributes }, { graph, value }) => {
      const inputShape = attributes.inputShape as number[];
      const tables = depthwiseTables(inputShape, filter.shape, attributes);
      const { batch, pixels, windows, taps, channels, readBy } = tables;
      const multiples = filter.shape[3];
      const slopes = graph.reshape(value(dy), [batch, windows, channels * multiples]);
      const received = gatherRows(slopes, readBy, 0, graph);
      const shape = [batch, pixels, taps, channels * multiples];
      const weights = graph.reshape(value(filter), [1, 1, taps, channels * multiples]);
      const products = graph.node("Mul", [graph.reshape(received, shape), weights], { type: "float32", shape });
      const perPixel = graph.reshape(sumOver(2, products, graph), [batch, pixels, channels, multiples]);
      return graph.reshape(multiples === 1 ? perPixel : sumOver(3, perPixel, graph), inputShape);
    },
  },
};

/** [n, windows · taps, C]: what each tap of each window sees. */
function tapsOf(x: Value, { batch, pixels, channels, reads }: WindowTables, graph: GraphBuilder): Value {
  return gatherRows(graph.reshape(x, [batch, pixels, channels]), reads, 0, graph);
}

function sumOver(axis: number, value: Value, graph: GraphBuilder): Value {
  const shape = value.shape.filter((_, i) => i !== axis);
  if (value.shape[axis] === 1) return graph.reshape(value, shape);
  return graph.node("ReduceSum", [value, graph.integers([axis])], { type: "float32", shape }, { keepdims: 0 });
}
