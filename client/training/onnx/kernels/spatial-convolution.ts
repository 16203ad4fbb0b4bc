import type { GraphBuilder, Value } from "../graph-builder.ts";
import { sizeOf } from "../kernel.ts";
import { type ConvolutionGeometry, pixelRead } from "./convolution-geometry.ts";
import {
  filterFromTransformed,
  imagesOfTiles,
  imagesOfWindows,
  inputGradient,
  type TileOrder,
  tilesOfImages,
  transformedFilter,
  transformedFilterGradient,
  transformedInput,
  transformedProduct,
  type WinogradPlan,
  windowsOfImages,
  winogradChunk,
  winogradPlan,
} from "./winograd.ts";

/**
 * A way to compute a convolution of images [H, W, n, C] (the batch inside, so that a product along H or W, and a pixel that
 * is moved, takes whole rows of memory). What it makes comes in parts of the batch and, in each part, position by position
 * in the order that was asked for: [positions, pixels · n · O].
 */
export interface SpatialConvolution {
  /** Whether its result can come in the order in which 2 × 2 windows are pooled. */
  readonly poolable: boolean;
  forward(images: Value, filter: Value, order: TileOrder): Value[];
  /** The filter's gradient, as [taps, C · O] or a view of it, added to `base` if there is one. */
  filterGradient(images: Value, dY: readonly Value[], order: TileOrder, base: Value | undefined): Value;
  /** [H, W, n, C]; undefined where the method has no way of its own. */
  readonly inputGradient: ((filter: Value, dY: readonly Value[], order: TileOrder) => Value) | undefined;
  /** Images [H, W, n, O] of parts in image order, and back. */
  imagesOf(parts: readonly Value[]): Value;
  partsOf(images: Value): Value[];
  /** Images [H / 2, W / 2, n, O] of one value a window [1, …], and back. */
  pooledImagesOf(windows: readonly Value[]): Value;
  windowsOf(pooled: Value): Value[];
}

/** The method for a convolution's shapes, by what it costs; undefined where gathered patches in NHWC are the cheapest. */
export function spatialConvolution(g: ConvolutionGeometry, graph: GraphBuilder): SpatialConvolution | undefined {
  const known = methods.get(graph) ?? new Map<string, SpatialConvolution | undefined>();
  methods.set(graph, known);
  // Asked for by each gradient of each step: plans and tables are made once.
  const key = JSON.stringify(g);
  if (!known.has(key)) known.set(key, cheapestMethod(g, graph));
  return known.get(key);
}

const methods = new WeakMap<GraphBuilder, Map<string, SpatialConvolution | undefined>>();

function cheapestMethod(g: ConvolutionGeometry, graph: GraphBuilder): SpatialConvolution | undefined {
  const plan = winogradPlan(g);
  if (plan !== undefined && plan.cost < directCost(g)) return winogradConvolution(g, plan, graph);
  const pixelsRead = g.filterHeight * g.filterWidth;
  if (pixelsRead > 1 && g.inChannels < g.batch && g.inChannels <= FEW_CHANNELS) return fewChannelsConvolution(g, graph);
  return undefined;
}

/** Up to here a patch is gathered faster by rows of the batch than by rows of channels. */
const FEW_CHANNELS = 4;
/** A float that a patch gathers costs as much as this many operations of a product. */
const GATHERED = 15;

function directCost(g: ConvolutionGeometry): number {
  const taps = g.filterHeight * g.filterWidth;
  const outPixels = g.outHeight * g.outWidth;
  const products = 3 * 2 * outPixels * taps * g.inChannels * g.outChannels;
  return products + GATHERED * taps * (outPixels * g.inChannels + g.height * g.width * g.outChannels);
}

export function winogradConvolution(
  g: ConvolutionGeometry,
  plan: WinogradPlan,
  graph: GraphBuilder,
): SpatialConvolution {
  const most = winogradChunk(g, plan);
  const inParts = (images: Value) => splitBatch(images, most, graph);
  const u = (filter: Value) => transformedFilter(filter, g, plan, graph);
  const positions = plan.y.outputs * plan.x.outputs;
  const byPosition = (part: Value) => graph.reshape(part, [positions, sizeOf(part.shape) / positions]);
  return {
    poolable: [plan.y.outputs, plan.x.outputs, g.outHeight, g.outWidth].every((length) => length % 2 === 0),
    forward: (images, filter, order) =>
      inParts(images).map((part) =>
        transformedProduct(transformedInput(part, plan, graph), u(filter), plan, order, graph),
      ),
    filterGradient(images, dY, order, base) {
      const gradients = inParts(images).map((part, i) =>
        transformedFilterGradient(transformedInput(part, plan, graph), byPosition(dY[i]), plan, order, graph),
      );
      const dU = gradients.reduce((sum, gradient) => graph.node("Add", [sum, gradient], gradient));
      return filterFromTransformed(dU, plan, base, graph);
    },
    inputGradient: (filter, dY, order) =>
      joinBatch(
        dY.map((part) => inputGradient(byPosition(part), u(filter), g, plan, order, graph)),
        graph,
      ),
    imagesOf: (parts) =>
      joinBatch(
        parts.map((part) => imagesOfTiles(part, g, plan, graph)),
        graph,
      ),
    partsOf: (images) => inParts(images).map((part) => tilesOfImages(part, plan, graph)),
    pooledImagesOf: (windows) =>
      joinBatch(
        windows.map((part) => imagesOfWindows(part, g, plan, graph)),
        graph,
      ),
    windowsOf: (pooled) => inParts(pooled).map((part) => windowsOfImages(part, plan, graph)),
  };
}

/** Patches beyond this many bytes leave the cache before they are used again. */
const PATCH_BYTES = 3.2e6;

/** Patches [taps · C, pixels · n], gathered in rows of the batch, for images of few channels: a model's first layer. */
export function fewChannelsConvolution(g: ConvolutionGeometry, graph: GraphBuilder): SpatialConvolution {
  const { filterHeight, filterWidth, inChannels, outHeight, outWidth, outChannels } = g;
  const taps = filterHeight * filterWidth;
  const outPixels = outHeight * outWidth;
  const most = Math.max(1, Math.floor(PATCH_BYTES / (4 * taps * inChannels * outPixels)));
  const inParts = (images: Value) => splitBatch(images, most, graph);

  const tables = new Map<TileOrder, ReturnType<typeof makeTable>>();
  function tableOf(order: TileOrder) {
    const table = tables.get(order) ?? makeTable(order);
    tables.set(order, table);
    return table;
  }

  function makeTable(order: TileOrder) {
    const table = patchTable(g, order);
    const reads = graph.constant({ type: "int32", shape: [table.length] }, table);
    return { reads, length: table.length, isPadded: table.includes(g.height * g.width * inChannels) };
  }

  function patches(images: Value, order: TileOrder): Value {
    const [height, width, n, c] = images.shape;
    const pixels = height * width;
    const byChannel = graph.node(
      "Transpose",
      [graph.reshape(images, [pixels, n, c])],
      { type: "float32", shape: [pixels, c, n] },
      { perm: [0, 2, 1] },
    );
    const rows = graph.reshape(c === 1 ? images : byChannel, [pixels * c, n]);
    const { reads, length, isPadded } = tableOf(order);
    const padded = isPadded
      ? graph.node("Pad", [rows, graph.integers([0, 0, 1, 0]), graph.scalar(0)], {
          type: "float32",
          shape: [pixels * c + 1, n],
        })
      : rows;
    const gathered = graph.node("Gather", [padded, reads], { type: "float32", shape: [length, n] }, { axis: 0 });
    return graph.reshape(gathered, [taps * c, outPixels * n]);
  }

  const positions = (order: TileOrder) => (order === "pool" ? 4 : 1);
  return {
    poolable: outHeight % 2 === 0 && outWidth % 2 === 0,
    forward(images, filter, order) {
      const matrix = graph.reshape(filter, [taps * inChannels, outChannels]);
      return inParts(images).map((part) => {
        const columns = patches(part, order);
        const type = { type: "float32", shape: [columns.shape[1], outChannels] } as const;
        const result = graph.node("Gemm", [columns, matrix], type, { transA: 1 });
        return graph.reshape(result, [positions(order), (columns.shape[1] * outChannels) / positions(order)]);
      });
    },
    filterGradient(images, dY, order, base) {
      const type = { type: "float32", shape: [taps * inChannels, outChannels] } as const;
      let sum = base === undefined ? undefined : graph.reshape(base, type.shape);
      for (const [i, part] of inParts(images).entries()) {
        const columns = patches(part, order);
        const gradient = graph.reshape(dY[i], [columns.shape[1], outChannels]);
        sum = graph.node(sum === undefined ? "MatMul" : "Gemm", [columns, gradient, ...(sum ? [sum] : [])], type);
      }
      if (sum === undefined) throw new Error("A batch has at least one part.");
      return sum;
    },
    inputGradient: undefined,
    imagesOf: (parts) =>
      joinBatch(
        parts.map((part) => graph.reshape(part, [outHeight, outWidth, sizeOfPart(part), outChannels])),
        graph,
      ),
    partsOf: (images) => inParts(images).map((part) => flat(part, graph)),
    pooledImagesOf: (windows) =>
      joinBatch(
        windows.map((part) => graph.reshape(part, [outHeight / 2, outWidth / 2, 4 * sizeOfPart(part), outChannels])),
        graph,
      ),
    windowsOf: (pooled) => inParts(pooled).map((part) => flat(part, graph)),
  };

  function sizeOfPart(part: Value): number {
    return (part.shape[0] * part.shape[1]) / (outPixels * outChannels);
  }
}

/** For each tap, channel and output pixel, in image or in pool order, the row (pixel, channel) that it reads. */
function patchTable(g: ConvolutionGeometry, order: TileOrder): Int32Array {
  const { filterHeight, filterWidth, inChannels, outHeight, outWidth, height, width } = g;
  const padding = height * width * inChannels;
  const table: number[] = [];
  for (let dy = 0; dy < filterHeight; dy++) {
    for (let dx = 0; dx < filterWidth; dx++) {
      for (let channel = 0; channel < inChannels; channel++) {
        for (const [y, x] of outputPixels(outHeight, outWidth, order)) {
          const read = pixelRead(g, y, x, dy, dx);
          table.push(read === undefined ? padding : (read.row * width + read.column) * inChannels + channel);
        }
      }
    }
  }
  return Int32Array.from(table);
}

function outputPixels(height: number, width: number, order: TileOrder): [number, number][] {
  const grid = (rows: number, columns: number) =>
    Array.from({ length: rows * columns }, (_, i): [number, number] => [Math.floor(i / columns), i % columns]);
  if (order === "image") return grid(height, width);
  return grid(2, 2).flatMap(([px, py]) =>
    grid(height / 2, width / 2).map(([y, x]): [number, number] => [2 * y + py, 2 * x + px]),
  );
}

function flat(images: Value, graph: GraphBuilder): Value {
  return graph.reshape(images, [1, sizeOf(images.shape)]);
}

/** Images [H, W, n, C] in parts of at most `most` images, as equal as can be. */
function splitBatch(images: Value, most: number, graph: GraphBuilder): Value[] {
  const [height, width, n, c] = images.shape;
  const count = Math.ceil(n / most);
  if (count === 1) return [images];
  const sizes = Array.from(
    { length: count },
    (_, i) => Math.floor(((i + 1) * n) / count) - Math.floor((i * n) / count),
  );
  const types = sizes.map((size) => ({ type: "float32", shape: [height, width, size, c] }) as const);
  return graph.nodes("Split", [images, graph.integers(sizes)], types, { axis: 2 });
}

function joinBatch(parts: readonly Value[], graph: GraphBuilder): Value {
  if (parts.length === 1) return parts[0];
  const [height, width, , c] = parts[0].shape;
  const n = parts.reduce((sum, { shape }) => sum + shape[2], 0);
  return graph.node("Concat", parts, { type: "float32", shape: [height, width, n, c] }, { axis: 2 });
}
