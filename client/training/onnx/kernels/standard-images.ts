import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { KernelTable, LoweringContext, TracedKernel } from "../kernel.ts";
import type { OnnxAttribute } from "../model-proto.ts";
import { activate } from "./elementwise.ts";
import { convolutionInfo, poolInfo, type WindowInfo } from "./window-info.ts";

/** Convolutions and pools as ONNX's operators of that name, which take images as [n, C, H, W]. */
export const STANDARD_IMAGES: KernelTable = {
  Conv2D: {
    infer: ({ x, filter }, attributes) => windowed(convolutionInfo(x.shape, filter.shape, attributes, false)),
    lower: (kernel, context) => convolve(kernel, context, false),
  },
  FusedConv2D: {
    infer: ({ x, filter }, attributes) => windowed(convolutionInfo(x.shape, filter.shape, attributes, false)),
    lower: (kernel, context) => {
      const { graph, value } = context;
      const { bias } = kernel.inputs;
      const result = convolve(kernel, context, false);
      const sum = bias === undefined ? result : graph.node("Add", [result, value(bias)], result);
      return activate(kernel.attributes.activation, sum, context);
    },
  },
  DepthwiseConv2dNative: {
    infer: ({ x, filter }, attributes) => windowed(convolutionInfo(x.shape, filter.shape, attributes, true)),
    lower: (kernel, context) => convolve(kernel, context, true),
  },
  MaxPool: {
    infer: ({ x }, attributes) => windowed(poolInfo(x.shape, attributes)),
    lower: (kernel, context) => pooled("MaxPool", kernel, context, {}),
  },
  AvgPool: {
    infer: ({ x }, attributes) => windowed(poolInfo(x.shape, attributes)),
    // A window averages the pixels that it sees.
    lower: (kernel, context) => pooled("AveragePool", kernel, context, { count_include_pad: 0 }),
  },
};

function windowed({ outShape }: WindowInfo) {
  return { type: "float32", shape: outShape } as const;
}

function convolve(
  { inputs: { x, filter }, attributes }: TracedKernel,
  context: LoweringContext,
  depthwise: boolean,
): Value {
  const { graph, value } = context;
  const info = convolutionInfo(x.shape, filter.shape, attributes, depthwise);
  const [height, width, channels, last] = filter.shape;
  // HWIO as OIHW; a depthwise filter [H, W, C, multiples] as [C · multiples, 1, H, W], in groups of one channel.
  const perm = depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1];
  const turned = transposed(value(filter), perm, graph);
  const weights = depthwise ? graph.reshape(turned, [channels * last, 1, height, width]) : turned;
  const options = {
    ...windowOptions(info),
    dilations: [info.dilationHeight, info.dilationWidth],
    group: depthwise ? channels : 1,
  };
  return asImages("Conv", [value(x), weights], info, options, graph);
}

function pooled(
  op: string,
  { inputs: { x }, attributes }: TracedKernel,
  { graph, value }: LoweringContext,
  options: Readonly<Record<string, OnnxAttribute>>,
): Value {
  const info = poolInfo(x.shape, attributes);
  return asImages(op, [value(x)], info, { ...windowOptions(info), ...options }, graph);
}

function windowOptions({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: WindowInfo) {
  return {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
  };
}

/** An operator on the images, which are transposed for it and back. */
function asImages(
  op: string,
  [images, ...others]: readonly Value[],
  { batchSize, outChannels, outHeight, outWidth }: WindowInfo,
  options: Readonly<Record<string, OnnxAttribute>>,
  graph: GraphBuilder,
): Value {
  const shape = [batchSize, outChannels, outHeight, outWidth];
  const inputs = [transposed(images, [0, 3, 1, 2], graph), ...others];
  return transposed(graph.node(op, inputs, { type: "float32", shape }, options), [0, 2, 3, 1], graph);
}

function transposed(value: Value, perm: readonly number[], graph: GraphBuilder): Value {
  return graph.node("Transpose", [value], { type: value.type, shape: perm.map((axis) => value.shape[axis]) }, { perm });
}
