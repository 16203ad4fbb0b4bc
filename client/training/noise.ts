import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel, layers } from "@tensorflow/tfjs-layers";
import { everyLayer } from "../../shared/learning/models/inner-layers.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";

/** A place in the forward pass where a layer draws random numbers: how many, and which. */
export interface NoiseSite {
  readonly shape: readonly number[];
  /** Inverted dropout's mask: 1 / (1 − rate) with probability 1 − rate, else 0; or standard normal values. */
  readonly draws: { readonly kind: "mask"; readonly rate: number } | { readonly kind: "normal" };
}

export function fillNoise({ draws }: NoiseSite, values: Float32Array, random: SeededRandom): void {
  if (draws.kind === "normal") {
    for (let i = 0; i < values.length; i++) values[i] = random.normal();
    return;
  }
  const keep = 1 - draws.rate;
  for (let i = 0; i < values.length; i++) values[i] = random.uniform() < keep ? 1 / keep : 0;
}

type Layer = layers.Layer;
type Source = (site: NoiseSite) => tf.Tensor;

/**
 * Has a model's layers take the random numbers of training from `source`, in the order of the forward pass, and not from
 * tf.layers' own generator, which no seed of ours reaches: so every engine draws the same ones.
 */
export function routeNoise(model: LayersModel, source: Source): void {
  for (const layer of everyLayer(model)) {
    const train = TRAINING_CALLS[layer.getClassName()];
    if (train !== undefined) {
      const call = layer.call.bind(layer);
      layer.call = (inputs, options) => {
        const input = Array.isArray(inputs) ? inputs[0] : inputs;
        return options.training === true ? train(layer, input, source) : call(inputs, options);
      };
    }
    // Recurrent cells have a place for it: what makes their masks, of the input's and of the state's shape.
    if ("recurrentDropout" in layer) {
      (layer as RecurrentCell).dropoutFunc = (ones, rate) =>
        source({ shape: ones.shape, draws: { kind: "mask", rate } });
    }
  }
}

/** Layers that draw random numbers and have no form here: they would draw them where no seed reaches. */
export const UNSEEDED_LAYERS: readonly string[] = ["AlphaDropout"];

/** Disposes of the masks that recurrent cells keep until their next call; a model that is disposed of has none. */
export function releaseMasks(model: LayersModel): void {
  for (const layer of everyLayer(model)) {
    if (!("recurrentDropout" in layer)) continue;
    const cell = layer as RecurrentCell;
    for (const masks of [cell.dropoutMask, cell.recurrentDropoutMask]) {
      if (masks !== null && masks !== undefined) tf.dispose(masks);
    }
    Object.assign(cell, { dropoutMask: null, recurrentDropoutMask: null });
  }
}

type RecurrentCell = Layer & {
  dropoutFunc?: (ones: tf.Tensor, rate: number) => tf.Tensor;
  dropoutMask?: tf.Tensor | tf.Tensor[] | null;
  recurrentDropoutMask?: tf.Tensor | tf.Tensor[] | null;
};
type DropoutLayer = Layer & { readonly rate: number; getNoiseShape(input: tf.Tensor): number[] | null | undefined };

const TRAINING_CALLS: Readonly<Record<string, (layer: Layer, input: tf.Tensor, source: Source) => tf.Tensor>> = {
  Dropout: dropout,
  SpatialDropout1D: dropout,
  GaussianNoise: (layer, input, source) => {
    const { stddev } = layer as Layer & { readonly stddev: number };
    return tf.add(input, tf.mul(source({ shape: input.shape, draws: { kind: "normal" } }), stddev));
  },
  GaussianDropout: (layer, input, source) => {
    const { rate } = layer as Layer & { readonly rate: number };
    if (rate <= 0 || rate >= 1) return input;
    const noise = tf.mul(source({ shape: input.shape, draws: { kind: "normal" } }), Math.sqrt(rate / (1 - rate)));
    return tf.mul(input, tf.add(noise, 1));
  },
};

function dropout(layer: Layer, input: tf.Tensor, source: Source): tf.Tensor {
  const { rate } = layer as DropoutLayer;
  if (rate <= 0 || rate >= 1) return input;
  const shape = (layer as DropoutLayer).getNoiseShape(input) ?? input.shape;
  return tf.mul(input, source({ shape, draws: { kind: "mask", rate } }));
}
