import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel, layers } from "@tensorflow/tfjs-layers";
import { everyLayer } from "../../shared/learning/models/inner-layers.ts";

type Layer = layers.Layer;

/**
 * Changes how a model's layers compute what tf.layers can only infer with, so that it can be trained; what they compute
 * stays the same.
 */
export function makeTrainable(model: LayersModel): void {
  for (const layer of everyLayer(model)) {
    const className = layer.getClassName();
    if (className === "Conv1D" || className === "Conv2D") spreadKernel(layer as ConvolutionLayer);
    if (className === "BatchNormalization") completeBatchNormalization(layer as BatchNormalization);
    if (className === "LayerNormalization") completeLayerNormalization(layer as LayerNormalization);
  }
}

interface Readable {
  read(): tf.Tensor;
}

interface ConvolutionLayer extends Layer {
  readonly kernel: Readable;
  readonly dilationRate: number | number[];
}

/**
 * A dilated convolution reads a kernel with zeros between its taps, undilated: the same sums. tfjs computes a dilated
 * convolution, and refuses its gradient.
 */
function spreadKernel(layer: ConvolutionLayer): void {
  const { kernel, dilationRate } = layer;
  const rates = [dilationRate].flat();
  if (rates.every((rate) => rate === 1)) return;
  const call = layer.call.bind(layer);
  layer.call = (inputs, options) => {
    const wide = { read: () => spread(kernel.read(), rates) };
    Object.assign(layer, { kernel: wide, dilationRate: rates.map(() => 1) });
    try {
      return call(inputs, options);
    } finally {
      Object.assign(layer, { kernel, dilationRate });
    }
  };
}

interface BatchNormalization extends Layer {
  readonly scale: boolean;
  readonly center: boolean;
  readonly movingMean: { readonly shape: (number | null)[] };
}

/** Without scale it multiplies by one, without centre it adds zero: tf.layers forgets in training that they may be absent. */
function completeBatchNormalization(layer: BatchNormalization): void {
  const shape = layer.movingMean.shape as number[];
  if (!layer.scale) Object.assign(layer, { gamma: { read: () => tf.ones(shape) } });
  if (!layer.center) Object.assign(layer, { beta: { read: () => tf.zeros(shape) } });
}

interface LayerNormalization extends Layer {
  readonly scale: boolean;
  readonly center: boolean;
  readonly axis: readonly number[];
  readonly gamma: Readable | null;
  readonly beta: Readable | null;
}

/** The same: tfjs's gradient of a normalisation cannot do without either. */
function completeLayerNormalization(layer: LayerNormalization): void {
  const { scale, center, gamma, beta } = layer;
  if (scale && center) return;
  const call = layer.call.bind(layer);
  layer.call = (inputs, options) => {
    const { shape } = Array.isArray(inputs) ? inputs[0] : inputs;
    const sizes = layer.axis.map((axis) => shape[axis]);
    const [one, zero] = [{ read: () => tf.ones(sizes) }, { read: () => tf.zeros(sizes) }];
    Object.assign(layer, { scale: true, center: true, gamma: gamma ?? one, beta: beta ?? zero });
    try {
      return call(inputs, options);
    } finally {
      Object.assign(layer, { scale, center, gamma, beta });
    }
  };
}

/** [k₁, …, in, out] → [(k₁ − 1) rate₁ + 1, …, in, out]. */
function spread(kernel: tf.Tensor, rates: readonly number[]): tf.Tensor {
  const channels = kernel.shape.slice(rates.length);
  const taps = kernel.shape.slice(0, rates.length);
  const separate = tf.reshape(kernel, [...taps.flatMap((length) => [length, 1]), ...channels]);
  const zeros = rates.flatMap((rate): [number, number][] => [
    [0, 0],
    [0, rate - 1],
  ]);
  const padded = tf.pad(separate, [...zeros, ...channels.map((): [number, number] => [0, 0])]);
  const joined = tf.reshape(padded, [...taps.map((length, i) => length * rates[i]), ...channels]);
  return tf.slice(
    joined,
    joined.shape.map(() => 0),
    [...taps.map((length, i) => (length - 1) * rates[i] + 1), ...channels],
  );
}
