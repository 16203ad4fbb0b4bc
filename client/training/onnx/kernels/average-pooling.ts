import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelTable } from "../kernel.ts";
import { gatherRows } from "./rows.ts";
import { poolTables, type WindowTables } from "./window-tables.ts";

/** Average-pooling. A window that reaches into the padding averages the pixels that it sees. */
export const AVERAGE_POOLING: KernelTable = {
  AvgPool: {
    infer: ({ x }, attributes) => ({ type: "float32", shape: poolTables(x.shape, attributes).outShape }),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const tables = poolTables(x.shape, attributes);
      const shares = perWindow(tables, (count) => 1 / count, graph);
      const sums = summedTaps(value(x), tables.pixels, tables.windows, tables.reads, tables, graph);
      return graph.reshape(graph.node("Mul", [sums, shares], sums), tables.outShape);
    },
  },
  AvgPoolGrad: {
    infer: ({ input }) => ({ type: "float32", shape: input.shape }),
    // tfjs's kernel divides by the size of the window, whatever it sees of the image; so does this one.
    lower: ({ inputs: { dy, input }, attributes }, { graph, value }) => {
      const tables = poolTables(input.shape, attributes);
      const sums = summedTaps(value(dy), tables.windows, tables.pixels, tables.readBy, tables, graph);
      return graph.reshape(graph.node("Mul", [sums, graph.scalar(1 / tables.taps)], sums), input.shape);
    },
  },
};

/** [n, rows, C] → [n, places, C]: for each place, the sum of the rows that its part of the table names. */
function summedTaps(
  value: Value,
  rows: number,
  places: number,
  table: Int32Array,
  { batch, channels, taps }: WindowTables,
  graph: GraphBuilder,
): Value {
  const gathered = gatherRows(graph.reshape(value, [batch, rows, channels]), table, 0, graph);
  const perPlace = graph.reshape(gathered, [batch, places, taps, channels]);
  const sum = { type: "float32", shape: [batch, places, channels] } as const;
  return graph.node("ReduceSum", [perPlace, graph.integers([2])], sum, { keepdims: 0 });
}

function perWindow({ counts, windows }: WindowTables, share: (count: number) => number, graph: GraphBuilder): Value {
  return graph.constant({ type: "float32", shape: [1, windows, 1] }, Float32Array.from(counts, share));
}
