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

/**
 * Products of both axes together. The first step of Adam divides small gradients by themselves and so shows lost digits
 * best: on the CNN it is 3.5e-4, 6.4e-4 and 9.6e-4 away from direct arithmetic with 12, 14 and 16 (medians of 24 starting
 * points), and engines are to agree to 1e-3. Plain SGD's step is 1.0e-6, 1.2e-6 and 1.4e-6 away.
 */
const MOST_IN_BOTH = 14;

/** The cheapest plan; undefined where the algorithm does not apply. */
export function winogradPlan(g: ConvolutionGeometry): WinogradPlan | undefined {
  if (g.strideHeight * g.strideWidth * g.dilationHeight * g.dilationWidth !== 1) return undefined;
  let best: WinogradPlan | undefined;
  for (const y of axisPlans(g.filterHeight, g.height, g.outHeight, g.top)) {
    for (const x of axisPlans(g.filterWidth, g.width, g.outWidth, g.left)) {
      if (x.products + y.products > MOST_IN_BOTH) continue;
      const plan = { x, y, cost: cost(g, x, y) };
      if (best === undefined || plan.cost < best.cost) best = plan;
    }
  }
  return best;
}

function axisPlans(taps: number, length: number, outLength: number, padding: number): AxisPlan[] {
  const plans: AxisPlan[] = [];
  // Where windows of two may be pooled, a tile holds whole ones.
  const step = outLength % 2 === 0 ? 2 : 1;
  for (let outputs = 2; taps > 1 && outputs + taps - 1 <= MOST_PRODUCTS; outputs += step) {
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

/** What one operation of a product with a tiling matrix is worth, and what moving an element of M through its products is. */
const TILING = 1.3;
const MOVED = 40;

function cost(g: ConvolutionGeometry, x: AxisPlan, y: AxisPlan): number {
  const points = x.products * y.products;
  const tiles = x.tiles * y.tiles;
  const [c, o] = [g.inChannels, g.outChannels];
  const products = 3 * 2 * points * tiles * c * o;
  const tiling = 2 * (g.height * x.products * x.tiles * g.width * c + points * y.tiles * g.height * x.tiles * c);
  const outputs = (3 * 2 * x.outputs * y.outputs + MOVED) * points * tiles * o;
  const filter = (2 * 2 * points * g.filterHeight * g.filterWidth * c * o) / g.batch;
  return products + 2 * TILING * tiling + outputs + filter;
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
  const n = tiled.shape[1] / (x.tiles * y.tiles * g.outChannels);
  const parts = graph.reshape(tiled, [y.outputs, x.outputs, y.tiles, x.tiles, n * g.outChannels]);
  const whole = permuted(parts, [2, 0, 3, 1, 4], graph);
  const images = graph.reshape(whole, [y.tiles * y.outputs, x.tiles * x.outputs, n, g.outChannels]);
  return cropped(images, g.outHeight, g.outWidth, graph);
}

/** The inverse: tiles in image order, zeros beyond the images. */
export function tilesOfImages(images: Value, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [, , n, o] = images.shape;
  const whole = extended(images, y.tiles * y.outputs, x.tiles * x.outputs, graph);
  const parts = graph.reshape(whole, [y.tiles, y.outputs, x.tiles, x.outputs, n * o]);
  const tiled = permuted(parts, [1, 3, 0, 2, 4], graph);
  return graph.reshape(tiled, [y.outputs * x.outputs, y.tiles * x.tiles * n * o]);
}

/** Pooled images [out height / 2, out width / 2, n, O] of one value a window, [1, …] in pool order. */
export function imagesOfWindows(windows: Value, g: ConvolutionGeometry, { x, y }: WinogradPlan, graph: GraphBuilder) {
  const [across, down] = [x.outputs / 2, y.outputs / 2];
  const n = windows.shape[1] / (across * down * x.tiles * y.tiles * g.outChannels);
  const parts = graph.reshape(windows, [across, down, y.tiles, x.tiles, n * g.outChannels]);
  const whole = across * down === 1 ? parts : permuted(parts, [2, 1, 3, 0, 4], graph);
  const images = graph.reshape(whole, [y.tiles * down, x.tiles * across, n, g.outChannels]);
  return cropped(images, g.outHeight / 2, g.outWidth / 2, graph);
}

/** The inverse. */
export function windowsOfImages(images: Value, { x, y }: WinogradPlan, graph: GraphBuilder): Value {
  const [across, down] = [x.outputs / 2, y.outputs / 2];
  const [, , n, channels] = images.shape;
  const whole = extended(images, y.tiles * down, x.tiles * across, graph);
  const parts = graph.reshape(whole, [y.tiles, down, x.tiles, across, n * channels]);
  const tiled = across * down === 1 ? parts : permuted(parts, [3, 1, 0, 2, 4], graph);
  return graph.reshape(tiled, [1, across * down * y.tiles * x.tiles * n * channels]);
}

/** Tiles may cover more than the images: what lies beyond is dropped, */
function cropped(images: Value, height: number, width: number, graph: GraphBuilder): Value {
  const shape = [height, width, ...images.shape.slice(2)];
  if (images.shape.join() === shape.join()) return images;
  const [from, to, axes] = [
    [0, 0],
    [height, width],
    [0, 1],
  ].map((list) => graph.integers(list));
  return graph.node("Slice", [images, from, to, axes], { type: images.type, shape });
}

/** and is zero in a gradient. */
function extended(images: Value, height: number, width: number, graph: GraphBuilder): Value {
  const shape = [height, width, ...images.shape.slice(2)];
  if (images.shape.join() === shape.join()) return images;
  const pads = graph.integers([0, 0, 0, 0, height - images.shape[0], width - images.shape[1], 0, 0]);
  return graph.node("Pad", [images, pads, graph.scalar(0)], { type: images.type, shape });
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
