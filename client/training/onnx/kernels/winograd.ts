import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { ConvolutionGeometry } from "./convolution-geometry.ts";
import { cookToom, kronecker, type Matrix, MOST_PRODUCTS, transposed } from "./cook-toom.ts";

/**
 * Convolutions of stride one by Winograd's minimal algorithms (Lavin and Gray 2016, arXiv 1509.09308, section 4), nested in
 * both dimensions, as products of matrices only. For n images and tiles of m × m outputs:
 *
 *     X [H, W, n, C] ──Tx──▶ ──Ty──▶ V [αα, tiles · n, C]          T holds Bᵀ of every tile, and the padding as zeros
 *     W [r · r, C · O] ──Gx ⊗ Gy──▶ U [αα, C, O]
 *     V · U = M [αα, tiles · n, O] ──Ax ⊗ Ay──▶ Y [m · m, tiles · n, O]
 *
 * Backwards, the same matrices transposed. Y's rows are the positions in a tile; `order` says how they are numbered.
 */
export interface WinogradPlan {
  readonly x: AxisPlan;
  readonly y: AxisPlan;
  /** Arithmetic of a training step for one image, in operations of a well-shaped product. */
  readonly cost: number;
}

interface AxisPlan {
  /** Outputs a tile. */
  readonly outputs: number;
  readonly tiles: number;
  readonly products: number;
  readonly output: Matrix;
  readonly filter: Matrix;
  /** [products · tiles, length of the input], product by product. */
  readonly tiling: Matrix;
}

/**
 * How positions in a tile are numbered: (y, x), for images; or, for 2 × 2 pooling, by the column and row in a window first,
 * then by the window.
 */
export type TileOrder = "image" | "pool";

/** The cheapest plan; undefined where the algorithm does not apply. */
export function winogradPlan(g: ConvolutionGeometry): WinogradPlan | undefined {
  if (g.strideHeight * g.strideWidth * g.dilationHeight * g.dilationWidth !== 1) return undefined;
  let best: WinogradPlan | undefined;
  for (const y of axisPlans(g.filterHeight, g.height, g.outHeight, g.top)) {
    for (const x of axisPlans(g.filterWidth, g.width, g.outWidth, g.left)) {
      const plan = { x, y, cost: cost(g, x, y) };
      if (best === undefined || plan.cost < best.cost) best = plan;
    }
  }
  return best;
}

function axisPlans(taps: number, length: number, outLength: number, padding: number): AxisPlan[] {
  const plans: AxisPlan[] = [];
  for (let outputs = 2; taps > 1 && outputs + taps - 1 <= MOST_PRODUCTS; outputs++) {
    const { products, output, filter, input } = cookToom(outputs, taps);
    const tiles = Math.ceil(outLength / outputs);
    const tiling = input.flatMap((coefficients) =>
      Array.from({ length: tiles }, (_, tile) => {
        const row = new Array<number>(length).fill(0);
        for (const [i, coefficient] of coefficients.entries()) {
          const position = tile * outputs + i - padding;
          if (position >= 0 && position < length) row[position] = coefficient;
        }
        return row;
      }),
    );
    plans.push({ outputs, tiles, products, output, filter, tiling });
  }
  return plans;
}

/** Products of few rows or of short sums wait for memory: what one operation of theirs is worth. */
const TRANSFORM = 1.3;
const OUTPUT_TRANSFORM = 3;

function cost(g: ConvolutionGeometry, x: AxisPlan, y: AxisPlan): number {
  const points = x.products * y.products;
  const tiles = x.tiles * y.tiles;
  const [c, o] = [g.inChannels, g.outChannels];
  const products = 3 * points * tiles * c * o;
  const input = g.height * x.products * x.tiles * g.width * c + points * y.tiles * g.height * x.tiles * c;
  const output = 3 * points * x.outputs * y.outputs * tiles * o;
  const filter = (2 * points * g.filterHeight * g.filterWidth * c * o) / g.batch;
  return 2 * (products + TRANSFORM * (2 * input + filter) + OUTPUT_TRANSFORM * output);
}

/** Images that go through the transforms together: beyond this many bytes a stage, the next one finds them evicted. */
const CHUNK_BYTES = 4.6e6;

export function winogradChunk({ inChannels, outChannels }: ConvolutionGeometry, { x, y }: WinogradPlan): number {
  const image = 4 * x.products * y.products * x.tiles * y.tiles * Math.max(inChannels, outChannels);
  return Math.max(1, Math.floor(CHUNK_BYTES / image));
}

/** U [αα, C, O] of a filter [r, r, C, O]. */
export function transformedFilter(filter: Value, g: ConvolutionGeometry, { x, y }: WinogradPlan, graph: GraphBuilder) {
  const { inChannels: c, outChannels: o, filterHeight, filterWidth } = g;
  const matrix = constant(filterTransform(x, y), graph);
  const flat = graph.reshape(filter, [filterHeight * filterWidth, c * o]);
  return graph.reshape(product(matrix, flat, graph), [x.products * y.products, c, o]);
}

/** Rows are points (x, y), columns taps (y, x). */
function filterTransform(x: AxisPlan, y: AxisPlan): Matrix {
  return x.filter.flatMap((gx) => y.filter.map((gy) => gy.flatMap((a) => gx.map((b) => a * b))));
}

/** V [αα, tiles · n, C] of images [H, W, n, C]. */
export function transformedInput(images: Value, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [height, width, n, c] = images.shape;
  const columns = product(constant(x.tiling, graph), graph.reshape(images, [height, width, n * c]), graph);
  const split = graph.reshape(columns, [height, x.products, x.tiles * n * c]);
  const turned = permuted(split, [1, 0, 2], graph);
  const rows = product(constant(y.tiling, graph), turned, graph);
  return graph.reshape(rows, [x.products * y.products, y.tiles * x.tiles * n, c]);
}

/** Y [m · m, tiles · n · O] of V and U. */
export function transformedProduct(v: Value, u: Value, plan: WinogradPlan, order: TileOrder, graph: GraphBuilder) {
  const m = product(v, u, graph);
  const rows = graph.reshape(m, [m.shape[0], m.shape[1] * m.shape[2]]);
  return product(constant(outputTransform(plan, order), graph), rows, graph);
}

/** Images [H, W, n, C] of the gradient of Y, the adjoint of the forward pass. */
export function inputGradient(
  dY: Value,
  u: Value,
  g: ConvolutionGeometry,
  plan: WinogradPlan,
  order: TileOrder,
  graph: GraphBuilder,
): Value {
  const { x, y } = plan;
  const { inChannels: c, outChannels: o, height, width } = g;
  const points = x.products * y.products;
  const pixels = dY.shape[1] / o;
  const n = pixels / (x.tiles * y.tiles);
  const z = product(constant(transposed(outputTransform(plan, order)), graph), dY, graph);
  const dV = product(graph.reshape(z, [points, pixels, o]), permuted(u, [0, 2, 1], graph), graph);
  const rows = graph.reshape(dV, [x.products, y.products * y.tiles, x.tiles * n * c]);
  const summedRows = product(constant(transposed(y.tiling), graph), rows, graph);
  const turned = permuted(summedRows, [1, 0, 2], graph);
  const columns = graph.reshape(turned, [height, x.products * x.tiles, n * c]);
  return graph.reshape(product(constant(transposed(x.tiling), graph), columns, graph), [height, width, n, c]);
}

/** dUᵀ [αα, O, C] of V and the gradient of Y. */
export function transformedFilterGradient(
  v: Value,
  dY: Value,
  plan: WinogradPlan,
  order: TileOrder,
  graph: GraphBuilder,
): Value {
  const [points, pixels] = v.shape;
  const o = dY.shape[1] / pixels;
  const channelsFirst = permuted(graph.reshape(dY, [dY.shape[0], pixels, o]), [0, 2, 1], graph);
  const flat = graph.reshape(channelsFirst, [dY.shape[0], o * pixels]);
  const z = product(constant(transposed(outputTransform(plan, order)), graph), flat, graph);
  return product(graph.reshape(z, [points, o, pixels]), v, graph);
}

/** The gradient of the filter [r · r, C · O] from dUᵀ, added to `base` if there is one. */
export function filterFromTransformed(
  dU: Value,
  { x, y }: WinogradPlan,
  base: Value | undefined,
  graph: GraphBuilder,
): Value {
  const [points, o, c] = dU.shape;
  const back = constant(transposed(filterTransform(x, y)), graph);
  const flat = graph.reshape(permuted(dU, [0, 2, 1], graph), [points, c * o]);
  if (base === undefined) return product(back, flat, graph);
  const type = { type: "float32", shape: [back.shape[0], c * o] } as const;
  return graph.node("Gemm", [back, flat, graph.reshape(base, type.shape)], type);
}

/** Rows in the given order, columns are points (x, y). */
function outputTransform({ x, y }: WinogradPlan, order: TileOrder): Matrix {
  const columns = Array.from(x.output.keys());
  const rows = Array.from(y.output.keys());
  const row = (i: number, j: number) => kronecker([x.output[j]], [y.output[i]])[0];
  if (order === "image") return rows.flatMap((i) => columns.map((j) => row(i, j)));
  const inWindow = (positions: number[], parity: number) => positions.filter((position) => position % 2 === parity);
  return [0, 1].flatMap((px) =>
    [0, 1].flatMap((py) => inWindow(columns, px).flatMap((j) => inWindow(rows, py).map((i) => row(i, j)))),
  );
}

/** Images [out height, out width, n, O] of Y in image order. */
export function imagesOfTiles(tiled: Value, g: ConvolutionGeometry, { x, y }: WinogradPlan, graph: GraphBuilder) {
  const { outHeight, outWidth, outChannels: o } = g;
  const n = tiled.shape[1] / (x.tiles * y.tiles * o);
  const parts = graph.reshape(tiled, [y.outputs, x.outputs, y.tiles, x.tiles, n * o]);
  const whole = permuted(parts, [2, 0, 3, 1, 4], graph);
  const covered = [y.tiles * y.outputs, x.tiles * x.outputs, n, o];
  const images = graph.reshape(whole, covered);
  if (covered[0] === outHeight && covered[1] === outWidth) return images;
  const ends = graph.integers([outHeight, outWidth]);
  const shape = [outHeight, outWidth, n, o];
  return graph.node("Slice", [images, graph.integers([0, 0]), ends, graph.integers([0, 1])], { ...images, shape });
}

/** The inverse: tiles in image order, zeros beyond the images. */
export function tilesOfImages(images: Value, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [height, width, n, o] = images.shape;
  const covered = [y.tiles * y.outputs, x.tiles * x.outputs, n, o];
  const pads = [0, 0, 0, 0, covered[0] - height, covered[1] - width, 0, 0];
  const whole = pads.some((length) => length > 0)
    ? graph.node("Pad", [images, graph.integers(pads), graph.scalar(0)], { type: "float32", shape: covered })
    : images;
  const parts = graph.reshape(whole, [y.tiles, y.outputs, x.tiles, x.outputs, n * o]);
  const tiled = permuted(parts, [1, 3, 0, 2, 4], graph);
  return graph.reshape(tiled, [y.outputs * x.outputs, y.tiles * x.tiles * n * o]);
}

/** Pooled images [h, w, n, O] of one value a window, [windows of a tile, tiles · n · O] in pool order. */
export function imagesOfWindows(windows: Value, channels: number, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [across, down] = [x.outputs / 2, y.outputs / 2];
  const n = windows.shape[1] / (x.tiles * y.tiles * channels);
  const parts = graph.reshape(windows, [across, down, y.tiles, x.tiles, n * channels]);
  const whole = across * down === 1 ? parts : permuted(parts, [2, 1, 3, 0, 4], graph);
  return graph.reshape(whole, [y.tiles * down, x.tiles * across, n, channels]);
}

/** The inverse. */
export function windowsOfImages(images: Value, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [across, down] = [x.outputs / 2, y.outputs / 2];
  const [, , n, channels] = images.shape;
  const parts = graph.reshape(images, [y.tiles, down, x.tiles, across, n * channels]);
  const tiled = across * down === 1 ? parts : permuted(parts, [3, 1, 0, 2, 4], graph);
  return graph.reshape(tiled, [across * down, y.tiles * x.tiles * n * channels]);
}

function constant(matrix: Matrix, graph: GraphBuilder): Value {
  return graph.constant(
    { type: "float32", shape: [matrix.length, matrix[0].length] },
    Float32Array.from(matrix.flat()),
  );
}

function product(a: Value, b: Value, graph: GraphBuilder): Value {
  const shape = [...b.shape.slice(0, -2), a.shape[a.shape.length - 2], b.shape[b.shape.length - 1]];
  return graph.node("MatMul", [a, b], { type: "float32", shape });
}

function permuted(value: Value, perm: readonly number[], graph: GraphBuilder): Value {
  return graph.node("Transpose", [value], { type: value.type, shape: perm.map((axis) => value.shape[axis]) }, { perm });
}
