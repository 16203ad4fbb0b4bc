import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelLowering, KernelTable, LoweringContext, TracedKernel, TracedValue } from "../kernel.ts";
import { type ConvolutionGeometry, convolutionGeometry, outputShape, pixelRead } from "./convolution-geometry.ts";
import { activate } from "./elementwise.ts";
import { pooledGradient, windowsGradient } from "./pooled-convolution.ts";
import { gatherRows, inChunks, splitRows } from "./rows.ts";
import { spatialConvolution } from "./spatial-convolution.ts";

/**
 * Convolutions as products of matrices. Those that pay for it are computed with the batch inside (spatial-convolution.ts).
 * For the others the patches that a filter sees are gathered into rows once ("im2col"), for the forward pass and the
 * filter's gradient alike, a few images at a time so that they stay in cache. An index table says which pixel each tap of
 * the filter reads, so strides, paddings and dilations are all one case.
 */
export const CONVOLUTION: KernelTable = {
  Conv2D: {
    infer: ({ x, filter }, attributes) => ({
      type: "float32",
      shape: outputShape(convolutionGeometry(x.shape, filter.shape, attributes)),
    }),
    lower: (kernel, context) => convolve(kernel, context),
    lowerSpatial: (kernel, context) => convolveSpatially(kernel, context),
  },
  FusedConv2D: {
    infer: ({ x, filter }, attributes) => ({
      type: "float32",
      shape: outputShape(convolutionGeometry(x.shape, filter.shape, attributes)),
    }),
    lower: (kernel, context) => withBiasAndActivation(convolve(kernel, context), kernel, context),
    lowerSpatial: (kernel, context) => {
      const result = convolveSpatially(kernel, context);
      return result === undefined ? undefined : withBiasAndActivation(result, kernel, context);
    },
  },
  Conv2DBackpropFilter: {
    infer: (_, { filterShape }) => ({ type: "float32", shape: filterShape as number[] }),
    lower: (kernel, context) => filterGradient(kernel, context),
    addTo: (base, kernel, context) => filterGradient(kernel, context, base),
  } satisfies KernelLowering,
  Conv2DBackpropInput: {
    infer: (_, { inputShape }) => ({ type: "float32", shape: inputShape as number[] }),
    lower: (kernel, context) => inputGradient(kernel, context),
    lowerSpatial: (kernel, context) => inputGradientSpatially(kernel, context),
  },
};

function withBiasAndActivation(result: Value, kernel: TracedKernel, context: LoweringContext): Value {
  const { bias } = kernel.inputs;
  const sum = bias === undefined ? result : context.graph.node("Add", [result, context.value(bias)], result);
  return activate(kernel.attributes.activation, sum, context);
}

/** The result as [H, W, n, O]. */
function convolveSpatially({ inputs, attributes }: TracedKernel, context: LoweringContext): Value | undefined {
  const { x, filter } = inputs;
  const method = spatialConvolution(convolutionGeometry(x.shape, filter.shape, attributes), context.graph);
  return method?.imagesOf(method.forward(context.spatial(x), context.value(filter), "image"));
}

function inputGradientSpatially({ inputs, attributes }: TracedKernel, context: LoweringContext): Value | undefined {
  const { dy, filter } = inputs;
  const g = convolutionGeometry(attributes.inputShape as number[], filter.shape, attributes);
  const method = spatialConvolution(g, context.graph);
  if (method?.inputGradient === undefined) return undefined;
  const pooled = pooledGradient(dy, context);
  return pooled === undefined
    ? method.inputGradient(context.value(filter), method.partsOf(context.spatial(dy)), "image")
    : method.inputGradient(context.value(filter), windowsGradient(pooled, context), "pool");
}

/** dW[tap, in, out] = Σ patchesᵀ · dY, added to `base` if there is one. */
function filterGradient(kernel: TracedKernel, context: LoweringContext, base?: Value): Value {
  const { x, dy } = kernel.inputs;
  const shape = kernel.attributes.filterShape as number[];
  const g = convolutionGeometry(x.shape, shape, kernel.attributes);
  const method = spatialConvolution(g, context.graph);
  if (method === undefined) return filterGradientOfPatches(x, dy, gathering(g), shape, context, base);
  const pooled = pooledGradient(dy, context);
  const images = context.spatial(x);
  const gradient =
    pooled === undefined
      ? method.filterGradient(images, method.partsOf(context.spatial(dy)), "image", base)
      : method.filterGradient(images, windowsGradient(pooled, context), "pool", base);
  return context.graph.reshape(gradient, shape);
}

interface Gathering {
  readonly batch: number;
  readonly pixels: number;
  readonly outPixels: number;
  readonly taps: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly out: readonly number[];
  /** For each output pixel and tap, the input pixel that it reads, or `pixels` for the padding. */
  readonly reads: Int32Array;
  /** For each input pixel and tap, the output pixel that read it through this tap, or `outPixels` for none. */
  readonly readBy: Int32Array;
}

function gathering(g: ConvolutionGeometry): Gathering {
  const pixels = g.height * g.width;
  const outPixels = g.outHeight * g.outWidth;
  const taps = g.filterHeight * g.filterWidth;
  const reads = new Int32Array(outPixels * taps).fill(pixels);
  const readBy = new Int32Array(pixels * taps).fill(outPixels);
  for (let p = 0; p < outPixels; p++) {
    for (let tap = 0; tap < taps; tap++) {
      const [dy, dx] = [Math.floor(tap / g.filterWidth), tap % g.filterWidth];
      const read = pixelRead(g, Math.floor(p / g.outWidth), p % g.outWidth, dy, dx);
      if (read === undefined) continue;
      const pixel = read.row * g.width + read.column;
      reads[p * taps + tap] = pixel;
      readBy[pixel * taps + tap] = p;
    }
  }
  return { ...g, pixels, outPixels, taps, out: outputShape(g), reads, readBy };
}

function convolve({ inputs: { x, filter }, attributes }: TracedKernel, { graph, value }: LoweringContext): Value {
  const g = gathering(convolutionGeometry(x.shape, filter.shape, attributes));
  const matrix = graph.reshape(value(filter), [g.taps * g.inChannels, g.outChannels]);
  const chunks = patches(value(x), g, graph).map((rows) =>
    graph.node("MatMul", [rows, matrix], { type: "float32", shape: [rows.shape[0], g.outChannels] }),
  );
  return graph.reshape(joined(chunks, graph), g.out);
}

function filterGradientOfPatches(
  x: TracedValue,
  dy: TracedValue,
  g: Gathering,
  shape: readonly number[],
  { graph, value }: LoweringContext,
  base?: Value,
): Value {
  const rows = patches(value(x), g, graph);
  const gradients = splitRows(graph.reshape(value(dy), [g.batch * g.outPixels, g.outChannels]), rows.length, graph);
  const type = { type: "float32", shape: [g.taps * g.inChannels, g.outChannels] } as const;
  let sum = base === undefined ? undefined : graph.reshape(base, type.shape);
  for (const [i, patch] of rows.entries()) {
    const addend = sum === undefined ? [] : [sum];
    sum = graph.node("Gemm", [patch, gradients[i], ...addend], type, { transA: 1 });
  }
  if (sum === undefined) throw new Error("A batch has at least one chunk.");
  return graph.reshape(sum, shape);
}

/** dX[pixel, in] = Σ over taps and out channels of dY[reader of the pixel, out] · W[tap, in, out]. */
function inputGradient(kernel: TracedKernel, { graph, value }: LoweringContext): Value {
  const { dy, filter } = kernel.inputs;
  const shape = kernel.attributes.inputShape as number[];
  const g = gathering(convolutionGeometry(shape, filter.shape, kernel.attributes));
  const perTap = graph.reshape(value(filter), [g.taps, g.inChannels, g.outChannels]);
  const turned = graph.node(
    "Transpose",
    [perTap],
    { type: "float32", shape: [g.taps, g.outChannels, g.inChannels] },
    { perm: [0, 2, 1] },
  );
  const matrix = graph.reshape(turned, [g.taps * g.outChannels, g.inChannels]);
  const images = graph.reshape(value(dy), [g.batch, g.outPixels, g.outChannels]);
  const chunks = inChunks(images, g.pixels * g.taps * g.outChannels, graph).map((chunk) => {
    const rows = gatherRows(chunk, g.readBy, 0, graph);
    const matrixRows = graph.reshape(rows, [chunk.shape[0] * g.pixels, g.taps * g.outChannels]);
    return graph.node("MatMul", [matrixRows, matrix], {
      type: "float32",
      shape: [matrixRows.shape[0], g.inChannels],
    });
  });
  return graph.reshape(joined(chunks, graph), shape);
}

/** The patches of a batch, as matrices of [images × output pixels, taps × channels], a chunk of images each. */
function patches(x: Value, g: Gathering, graph: GraphBuilder): Value[] {
  const images = graph.reshape(x, [g.batch, g.pixels, g.inChannels]);
  return inChunks(images, g.outPixels * g.taps * g.inChannels, graph).map((chunk) =>
    graph.reshape(gatherRows(chunk, g.reads, 0, graph), [chunk.shape[0] * g.outPixels, g.taps * g.inChannels]),
  );
}

function joined(chunks: readonly Value[], graph: GraphBuilder): Value {
  if (chunks.length === 1) return chunks[0];
  const rows = chunks.reduce((sum, chunk) => sum + chunk.shape[0], 0);
  return graph.node("Concat", chunks, { type: "float32", shape: [rows, ...chunks[0].shape.slice(1)] }, { axis: 0 });
}
