import type { GraphBuilder, Value } from "../graph-builder.ts";

/** Patches beyond this many bytes leave the second-level cache and the product waits for memory. */
const CHUNK_BYTES = 3.2e6;

/** A batch [images, …] in parts of as many images as fit the cache at `elementsPerImage` float32 each. */
export function inChunks(images: Value, elementsPerImage: number, graph: GraphBuilder): Value[] {
  const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / (4 * elementsPerImage)));
  // Equal parts, because one kernel size then serves all of them: the least divisor that fits.
  let parts = Math.ceil(images.shape[0] / perChunk);
  while (images.shape[0] % parts !== 0) parts++;
  return splitRows(images, parts, graph);
}

/** The tensor cut along its first dimension into equal parts. */
export function splitRows(value: Value, parts: number, graph: GraphBuilder): Value[] {
  if (parts === 1) return [value];
  const shape = [value.shape[0] / parts, ...value.shape.slice(1)];
  const outputs = Array.from({ length: parts }, () => ({ type: value.type, shape }));
  return graph.nodes("Split", [value], outputs, { axis: 0, num_outputs: parts });
}

/** images[n, rows, C] → [n, table, C]: the rows that the table names; the row after the last is filled with `padding`. */
export function gatherRows(images: Value, table: Int32Array, padding: number, graph: GraphBuilder): Value {
  const [batch, rows, channels] = images.shape;
  if (isIdentity(table, rows)) return images;
  const indices = graph.constant({ type: "int32", shape: [table.length] }, table);
  const source = table.includes(rows)
    ? graph.node("Pad", [images, graph.integers([0, 0, 0, 0, 1, 0]), graph.scalar(padding)], {
        type: images.type,
        shape: [batch, rows + 1, channels],
      })
    : images;
  const shape = [batch, table.length, channels];
  return graph.node("Gather", [source, indices], { type: images.type, shape }, { axis: 1 });
}

function isIdentity(table: Int32Array, rows: number): boolean {
  return table.length === rows && table.every((row, i) => row === i);
}
