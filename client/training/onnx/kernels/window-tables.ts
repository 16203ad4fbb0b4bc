import type { KernelAttributes } from "../kernel.ts";
import { convolutionInfo, poolInfo, type WindowInfo } from "./window-info.ts";

/** Which pixels the windows of a depthwise convolution or a pool see, whatever their strides, padding and dilation. */
export interface WindowTables {
  readonly batch: number;
  readonly channels: number;
  readonly pixels: number;
  readonly windows: number;
  /** Elements of one window. */
  readonly taps: number;
  readonly outShape: readonly number[];
  /** For each window and tap, the pixel that it reads, or `pixels` for the padding. */
  readonly reads: Int32Array;
  /** For each pixel and tap, the window that reads it through this tap, or `windows` for none. */
  readonly readBy: Int32Array;
  /** Pixels that each window sees, the padding left out. */
  readonly counts: Int32Array;
}

export function poolTables(x: readonly number[], attributes: KernelAttributes): WindowTables {
  return windowTables(poolInfo(x, attributes));
}

export function depthwiseTables(
  x: readonly number[],
  filter: readonly number[],
  attributes: KernelAttributes,
): WindowTables {
  return windowTables(convolutionInfo(x, filter, attributes, true));
}

function windowTables(info: WindowInfo): WindowTables {
  const pixels = info.inHeight * info.inWidth;
  const windows = info.outHeight * info.outWidth;
  const taps = info.filterHeight * info.filterWidth;
  const reads = new Int32Array(windows * taps).fill(pixels);
  const readBy = new Int32Array(pixels * taps).fill(windows);
  const counts = new Int32Array(windows);
  for (let window = 0; window < windows; window++) {
    const top = Math.floor(window / info.outWidth) * info.strideHeight - info.padInfo.top;
    const left = (window % info.outWidth) * info.strideWidth - info.padInfo.left;
    for (let tap = 0; tap < taps; tap++) {
      const row = top + Math.floor(tap / info.filterWidth) * info.dilationHeight;
      const column = left + (tap % info.filterWidth) * info.dilationWidth;
      if (row < 0 || row >= info.inHeight || column < 0 || column >= info.inWidth) continue;
      const pixel = row * info.inWidth + column;
      reads[window * taps + tap] = pixel;
      readBy[pixel * taps + tap] = window;
      counts[window]++;
    }
  }
  const { batchSize: batch, inChannels: channels, outShape } = info;
  return { batch, channels, pixels, windows, taps, outShape, reads, readBy, counts };
}
