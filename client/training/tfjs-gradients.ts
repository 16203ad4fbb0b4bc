import * as tf from "@tensorflow/tfjs-core";

/** Replaces gradients of tfjs that are wrong or wasteful. Every engine calls it, so that all have the same ones. */
export function registerGradients(): void {
  tf.registerGradient(averagePooling);
  tf.registerGradient(tiling);
}

/**
 * The gradient of the average that AvgPool computes. tfjs's own kernels (CPU, WebGL) average the pixels that a window
 * sees, and share the gradient out as if a window always saw all of its size: where it reaches into the padding the
 * gradient comes out too small. TensorFlow's library has it right.
 */
const averagePooling: tf.GradConfig = {
  kernelName: "AvgPool",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attributes) => ({
    x: () => {
      const pool = attributes as unknown as PoolAttributes;
      const { filterSize, strides, pad } = pool;
      const slopes = dy as tf.Tensor;
      const scaled = tf.getBackend() === "tensorflow" ? slopes : tf.mul(slopes, sizeOverSeen(x.shape, pool));
      return tf.engine().runKernel("AvgPoolGrad", { dy: scaled, input: x }, { filterSize, strides, pad });
    },
  }),
};

/** One sum over the repetitions; tfjs adds a slice for each of them, hundreds in a layer normalisation. */
const tiling: tf.GradConfig = {
  kernelName: "Tile",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attributes) => ({
    x: () => {
      const reps = attributes.reps as number[];
      const repeated = tf.reshape(
        dy as tf.Tensor,
        x.shape.flatMap((length, i) => [reps[i], length]),
      );
      return tf.sum(
        repeated,
        x.shape.map((_, i) => 2 * i),
      );
    },
  }),
};

interface PoolAttributes {
  readonly filterSize: [number, number];
  readonly strides: [number, number];
  readonly pad: "same" | "valid" | number;
  readonly dimRoundingMode: "floor" | undefined;
}

/** By window, its size over the pixels that it sees: [1, out height, out width, 1]. */
function sizeOverSeen(
  shape: readonly number[],
  { filterSize, strides, pad, dimRoundingMode }: PoolAttributes,
): tf.Tensor {
  const { computePool2DInfo } = tf.backend_util;
  const image = [...shape] as [number, number, number, number];
  const info = computePool2DInfo(image, filterSize, strides, 1, pad, dimRoundingMode);
  const rows = seen(info.outHeight, info.strideHeight, info.padInfo.top, info.filterHeight, info.inHeight);
  const columns = seen(info.outWidth, info.strideWidth, info.padInfo.left, info.filterWidth, info.inWidth);
  const size = info.filterHeight * info.filterWidth;
  const shares = rows.flatMap((height) => columns.map((width) => size / (height * width)));
  return tf.tensor(shares, [1, info.outHeight, info.outWidth, 1], "float32");
}

/** Along one axis, how many pixels of `length` each window sees. */
function seen(windows: number, stride: number, before: number, size: number, length: number): number[] {
  return Array.from({ length: windows }, (_, window) => {
    const start = window * stride - before;
    return Math.min(start + size, length) - Math.max(start, 0);
  });
}
