import { describe, expect, it } from "vitest";
import { graphBuilder, type Value } from "../../../client/training/onnx/graph-builder.ts";
import { sizeOf } from "../../../client/training/onnx/kernel.ts";
import {
  type ConvolutionGeometry,
  convolutionGeometry,
  pixelRead,
} from "../../../client/training/onnx/kernels/convolution-geometry.ts";
import { cookToom } from "../../../client/training/onnx/kernels/cook-toom.ts";
import {
  fewChannelsConvolution,
  type SpatialConvolution,
  winogradConvolution,
} from "../../../client/training/onnx/kernels/spatial-convolution.ts";
import { winogradPlan } from "../../../client/training/onnx/kernels/winograd.ts";
import { floatTensor, openSession } from "../../../client/training/onnx/session.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";

type Method = "winograd" | "few channels";

interface Case {
  readonly image: readonly [number, number];
  readonly filter: readonly [number, number];
  readonly channels: readonly [number, number];
  readonly batch: number;
  readonly pad: "same" | "valid";
}

function geometryOf({ image, filter, channels, batch, pad }: Case): ConvolutionGeometry {
  return convolutionGeometry([batch, ...image, channels[0]], [...filter, ...channels], { strides: [1, 1], pad });
}

const random = seededRandom(9, "convolutions");
const values = (shape: readonly number[]) => Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() - 0.5);

/** Y, dW and dX of images [H, W, n, C] and dY [H, W, n, O], by loops in float64. */
function byLoops(g: ConvolutionGeometry, x: Float32Array, w: Float32Array, dY: Float32Array) {
  const { batch, inChannels: c, outChannels: o, width, outWidth } = g;
  const result = { y: new Float64Array(dY.length), dW: new Float64Array(w.length), dX: new Float64Array(x.length) };
  for (let row = 0; row < g.outHeight; row++) {
    for (let column = 0; column < outWidth; column++) {
      for (let tap = 0; tap < g.filterHeight * g.filterWidth; tap++) {
        const read = pixelRead(g, row, column, Math.floor(tap / g.filterWidth), tap % g.filterWidth);
        if (read === undefined) continue;
        for (let n = 0; n < batch; n++) {
          for (let i = 0; i < c; i++) {
            const xi = ((read.row * width + read.column) * batch + n) * c + i;
            for (let k = 0; k < o; k++) {
              const yi = ((row * outWidth + column) * batch + n) * o + k;
              const wi = (tap * c + i) * o + k;
              result.y[yi] += x[xi] * w[wi];
              result.dW[wi] += x[xi] * dY[yi];
              result.dX[xi] += dY[yi] * w[wi];
            }
          }
        }
      }
    }
  }
  return result;
}

/** The same by a method's graph; in pool order, through windows of 2 × 2 that are put together again. */
async function byGraph(
  g: ConvolutionGeometry,
  method: (g: ConvolutionGeometry, graph: ReturnType<typeof graphBuilder>) => SpatialConvolution,
  x: Float32Array,
  w: Float32Array,
  dY: Float32Array,
) {
  const graph = graphBuilder();
  const float = (shape: readonly number[]) => ({ type: "float32", shape }) as const;
  const shapes = {
    x: [g.height, g.width, g.batch, g.inChannels],
    w: [g.filterHeight, g.filterWidth, g.inChannels, g.outChannels],
    dY: [g.outHeight, g.outWidth, g.batch, g.outChannels],
  };
  const inputs = {
    x: graph.input("x", float(shapes.x)),
    w: graph.input("w", float(shapes.w)),
    dY: graph.input("dY", float(shapes.dY)),
  };
  const convolution = method(g, graph);
  const outputs: Record<string, Value> = {
    y: convolution.imagesOf(convolution.forward(inputs.x, inputs.w, "image")),
    dW: graph.reshape(
      convolution.filterGradient(inputs.x, convolution.partsOf(inputs.dY), "image", undefined),
      shapes.w,
    ),
  };
  const { inputGradient } = convolution;
  if (inputGradient !== undefined) outputs.dX = inputGradient(inputs.w, convolution.partsOf(inputs.dY), "image");
  for (const [name, value] of Object.entries(outputs)) graph.output(name, value);
  const session = await openSession(graph.build());
  const found = Object.fromEntries(
    Object.entries(outputs).map(([name, { shape }]) => [name, new Float32Array(sizeOf(shape))]),
  );
  await session.run(
    { x: floatTensor(x, shapes.x), w: floatTensor(w, shapes.w), dY: floatTensor(dY, shapes.dY) },
    Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, floatTensor(found[name], shape)])),
  );
  await session.release();
  return found;
}

/** ‖found − expected‖ / ‖expected‖. */
function distance(found: Float32Array, expected: Float64Array): number {
  const difference = expected.reduce((sum, value, i) => sum + (found[i] - value) ** 2, 0);
  return Math.sqrt(difference / expected.reduce((sum, value) => sum + value ** 2, 0));
}

const METHODS: Record<Method, (g: ConvolutionGeometry, graph: ReturnType<typeof graphBuilder>) => SpatialConvolution> =
  {
    winograd: (g, graph) => winogradConvolution(g, winogradPlan(g)!, graph),
    "few channels": fewChannelsConvolution,
  };

const CASES: readonly Case[] = [
  { image: [14, 14], filter: [5, 5], channels: [8, 6], batch: 3, pad: "same" },
  { image: [7, 9], filter: [3, 3], channels: [5, 4], batch: 4, pad: "same" },
  { image: [8, 6], filter: [3, 3], channels: [5, 4], batch: 2, pad: "valid" },
  { image: [9, 11], filter: [5, 5], channels: [3, 7], batch: 2, pad: "valid" },
  { image: [6, 6], filter: [2, 2], channels: [4, 3], batch: 3, pad: "same" },
  { image: [5, 13], filter: [4, 3], channels: [3, 3], batch: 1, pad: "same" },
  { image: [10, 7], filter: [2, 5], channels: [2, 4], batch: 2, pad: "valid" },
  { image: [12, 12], filter: [5, 7], channels: [2, 3], batch: 2, pad: "same" },
  { image: [5, 5], filter: [5, 5], channels: [3, 2], batch: 2, pad: "valid" },
  // Parts of the batch, the last of them smaller.
  { image: [20, 20], filter: [3, 3], channels: [2, 48], batch: 31, pad: "same" },
];

describe.each(Object.keys(METHODS) as Method[])("a convolution by %s", (method) => {
  it.each(CASES)(
    "$image, filter $filter, $channels channels, batch $batch, $pad, is the one by loops",
    async (wanted) => {
      const g = geometryOf(wanted);
      const x = values([g.height, g.width, g.batch, g.inChannels]);
      const w = values([g.filterHeight, g.filterWidth, g.inChannels, g.outChannels]);
      const dY = values([g.outHeight, g.outWidth, g.batch, g.outChannels]);
      const expected = byLoops(g, x, w, dY);
      const found = await byGraph(g, METHODS[method], x, w, dY);
      expect(Object.keys(found)).toEqual(method === "winograd" ? ["y", "dW", "dX"] : ["y", "dW"]);
      for (const [name, array] of Object.entries(found)) {
        expect(distance(array, expected[name as keyof typeof expected]), name).toBeLessThan(1e-5);
      }
    },
  );
});

describe("Cook and Toom's matrices", () => {
  it.each([
    [2, 2],
    [2, 3],
    [4, 3],
    [6, 3],
    [3, 4],
    [2, 5],
    [4, 5],
    [2, 7],
  ])("make %i outputs of a filter with %i taps", (outputs, taps) => {
    const { products, output, filter, input } = cookToom(outputs, taps);
    expect(products).toBe(outputs + taps - 1);
    const d = Array.from({ length: products }, () => random.uniform() - 0.5);
    const f = Array.from({ length: taps }, () => random.uniform() - 0.5);
    const times = (matrix: readonly (readonly number[])[], vector: readonly number[]) =>
      matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));
    const transformed = times(input, d);
    const y = times(
      output,
      times(filter, f).map((value, i) => value * transformed[i]),
    );
    for (const [i, value] of y.entries()) {
      expect(value).toBeCloseTo(
        f.reduce((sum, fj, j) => sum + fj * d[i + j], 0),
        10,
      );
    }
  });

  it("are refused where float32 would lose too many digits", () => {
    expect(() => cookToom(5, 5)).toThrow(RangeError);
  });
});
