import { backend_util } from "@tensorflow/tfjs-core";
import type { KernelAttributes } from "../kernel.ts";

/** What TensorFlow.js works out of a convolution's or a pool's attributes: its output, strides, dilation and padding. */
export type WindowInfo = ReturnType<typeof backend_util.computeConv2DInfo>;

type Two = [number, number];
type Four = [number, number, number, number];

/**
 * @param x the images, [n, H, W, C]
 * @param filter [H, W, C, channels out], or [H, W, C, multiples] of a depthwise one
 */
export function convolutionInfo(
  x: readonly number[],
  filter: readonly number[],
  attributes: KernelAttributes,
  depthwise: boolean,
): WindowInfo {
  return backend_util.computeConv2DInfo(
    [...x] as Four,
    [...filter] as Four,
    attributes.strides as Two,
    (attributes.dilations ?? 1) as Two,
    attributes.pad as "same" | "valid" | number,
    attributes.dimRoundingMode as "floor" | undefined,
    depthwise,
  );
}

/** @param x the images, [n, H, W, C] */
export function poolInfo(x: readonly number[], attributes: KernelAttributes): WindowInfo {
  return backend_util.computePool2DInfo(
    [...x] as Four,
    attributes.filterSize as Two,
    attributes.strides as Two,
    1,
    attributes.pad as "same" | "valid" | number,
    attributes.dimRoundingMode as "floor" | undefined,
  );
}
