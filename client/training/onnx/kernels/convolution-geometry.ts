import type { KernelAttributes } from "../kernel.ts";
import { convolutionInfo } from "./window-info.ts";

/** What a convolution reads and writes. */
export interface ConvolutionGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly top: number;
  readonly left: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
}

export function convolutionGeometry(
  x: readonly number[],
  filter: readonly number[],
  attributes: KernelAttributes,
): ConvolutionGeometry {
  if ((attributes.dataFormat ?? "NHWC") !== "NHWC") throw new Error("Convolutions are traced in NHWC only.");
  const info = convolutionInfo(x, filter, attributes, false);
  const { batchSize: batch, inHeight: height, inWidth: width, padInfo } = info;
  return { ...info, batch, height, width, top: padInfo.top, left: padInfo.left };
}

export function outputShape({ batch, outHeight, outWidth, outChannels }: ConvolutionGeometry): number[] {
  return [batch, outHeight, outWidth, outChannels];
}

/** The input pixel that output pixel (y, x) reads through tap (dy, dx), or undefined in the padding. */
export function pixelRead(
  g: ConvolutionGeometry,
  y: number,
  x: number,
  dy: number,
  dx: number,
): { readonly row: number; readonly column: number } | undefined {
  const row = y * g.strideHeight - g.top + dy * g.dilationHeight;
  const column = x * g.strideWidth - g.left + dx * g.dilationWidth;
  return row >= 0 && row < g.height && column >= 0 && column < g.width ? { row, column } : undefined;
}
