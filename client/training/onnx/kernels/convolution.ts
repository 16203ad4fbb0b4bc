import { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelAttributes, KernelLowering, KernelTable, LoweringContext, TracedKernel } from "../kernel.ts";
import { activate } from "./elementwise.ts";
import { gatherRows, inChunks, splitRows } from "./rows.ts";

/**
 * Convolutions as products of matrices: the patches that a filter sees are gathered into rows once ("im2col"), for the
 * forward pass and the filter's gradient alike, a few images at a time so that they stay in cache. An index table says
 * which pixel each tap of the filter reads, so strides, paddings and dilations are all one case.
 */
export const CONVOLUTION: KernelTable = {
  Conv2D: {
    infer: ({ x, filter }, attributes) => ({ type: "float32", shape: geometry(x.shape, filter.shape, attributes).out }),
    lower: (kernel, context) => convolve(kernel, context),
  },
  FusedConv2D: {
    infer: ({ x, filter }, attributes) => ({ type: "float32", shape: geometry(x.shape, filter.shape, attributes).out }),
    lower: (kernel, context) => {
      const { graph, value } = context;
      const { bias } = kernel.inputs;
      const result = convolve(kernel, context);
      const sum = bias === undefined ? result : graph.node("Add", [result, value(bias)], result);
      return activate(kernel.attributes.activation, sum, context);
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
  },
};

interface Geometry {
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

function geometry(x: readonly number[], filter: readonly number[], attributes: KernelAttributes): Geometry {
  if ((attributes.dataFormat ?? "NHWC") !== "NHWC") throw new Error("Convolutions are traced in NHWC only.");
  type Four = [number, number, number, number];
  const info = backend_util.computeConv2DInfo(
    [...x] as Four,
    [...filter] as Four,
    attributes.strides as [number, number],
    (attributes.dilations ?? 1) as [number, number],
    attributes.pad as "same" | "valid" | number,
    attributes.dimRoundingMode as "floor" | undefined,
  );
  const pixels = info.inHeight * info.inWidth;
  const outPixels = info.outHeight * info.outWidth;
  const taps = info.filterHeight * info.filterWidth;
  const reads = new Int32Array(outPixels * taps).fill(pixels);
  const readBy = new Int32Array(pixels * taps).fill(outPixels);
  for (let p = 0; p < outPixels; p++) {
    const top = Math.floor(p / info.outWidth) * info.strideHeight - info.padInfo.top;
    const left = (p % info.outWidth) * info.strideWidth - info.padInfo.left;
    for (let tap = 0; tap < taps; tap++) {
      const row = top + Math.floor(tap / info.filterWidth) * info.dilationHeight;
      const column = left + (tap % info.filterWidth) * info.dilationWidth;
      if (row < 0 || row >= info.inHeight || column < 0 || column >= info.inWidth) continue;
      const pixel = row * info.inWidth + column;
      reads[p * taps + tap] = pixel;
      readBy[pixel * taps + tap] = p;
    }
  }
  const { batchSize: batch, inChannels, outChannels } = info;
  return { batch, pixels, outPixels, taps, inChannels, outChannels, out: info.outShape, reads, readBy };
}

function convolve({ inputs: { x, filter }, attributes }: TracedKernel, { graph, value }: LoweringContext): Value {
  const g = geometry(x.shape, filter.shape, attributes);
  const matrix = graph.reshape(value(filter), [g.taps * g.inChannels, g.outChannels]);
  const chunks = patches(value(x), g, graph).map((rows) =>
    graph.node("MatMul", [rows, matrix], { type: "float32", shape: [rows.shape[0], g.outChannels] }),
  );
  return graph.reshape(joined(chunks, graph), g.out);
}

/** dW[tap, in, out] = Σ patchesᵀ · dY, added to `base` if there is one. */
function filterGradient(kernel: TracedKernel, { graph, value }: LoweringContext, base?: Value): Value {
  const { x, dy } = kernel.inputs;
  const shape = kernel.attributes.filterShape as number[];
  const g = geometry(x.shape, shape, kernel.attributes);
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
  const g = geometry(shape, filter.shape, kernel.attributes);
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
function patches(x: Value, g: Geometry, graph: GraphBuilder): Value[] {
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
