import * as tf from "@tensorflow/tfjs-layers";
import { MurmurError } from "../../protocol/errors.ts";
import { withCpuBackend } from "./backend-scope.ts";
import { buildModel } from "./build-model.ts";
import type { ModelDefinition } from "./model-definition.ts";

type Layer = tf.LayersModel["layers"][number];
type Shape = readonly (number | null)[];

/** Multiply-accumulates of one example's forward pass through a definition's model. */
export function forwardMacsFor(definition: ModelDefinition): number {
  return withCpuBackend(() => {
    const model = buildModel(definition);
    const macs = forwardMacs(model);
    model.dispose();
    return macs;
  });
}

/**
 * Multiply-accumulates of one example's forward pass, from the layers: the products with kernels, as papers count them.
 * Biases, activations, pooling, normalisation and look-ups in embeddings are not products with a kernel and count
 * nothing. A layer that is applied n times counts n times.
 *
 * @throws {MurmurError} `config-invalid` for a layer with a kernel that is not one of tf.layers', and for shapes that are
 * open in another dimension than the batch
 */
export function forwardMacs(model: tf.LayersModel): number {
  return applications(model).reduce((sum, { layer, input, output }) => sum + layerMacs(layer, input, output), 0);
}

interface Application {
  readonly layer: Layer;
  /** Shapes with the batch dimension; the first where a layer has several. */
  readonly input: Shape;
  readonly output: Shape;
}

function applications(model: tf.LayersModel): Application[] {
  // A sequential model applies each layer once; the nodes of others include layers that they share with another model.
  if (model instanceof tf.Sequential) {
    const outputs = model.layers.map((layer) => firstShape(layer.outputShape));
    const inputs = [model.inputs[0].shape, ...outputs];
    return model.layers.map((layer, i) => ({ layer, input: inputs[i], output: outputs[i] }));
  }
  return Object.values(model.nodesByDepth)
    .flat()
    .filter(({ inboundLayers }) => inboundLayers.length > 0)
    .map(({ outboundLayer, inputShapes, outputShapes }) => ({
      layer: outboundLayer,
      input: firstShape(inputShapes),
      output: firstShape(outputShapes),
    }));
}

function firstShape(shapes: Shape | readonly Shape[]): Shape {
  return Array.isArray(shapes[0]) ? (shapes[0] as Shape) : (shapes as Shape);
}

function layerMacs(layer: Layer, input: Shape, output: Shape): number {
  if (layer instanceof tf.LayersModel) return forwardMacs(layer);
  const kernels = kernelShapes(layer);
  switch (layer.getClassName()) {
    case "Dense":
      return (elements(layer, output) / last(kernels[0])) * product(kernels[0]);
    case "Conv1D":
    case "Conv2D":
    case "Conv3D":
    case "SeparableConv2D":
      // The last kernel of each ends in the number of filters, whatever the data format.
      return (elements(layer, output) / last(kernels[kernels.length - 1])) * sum(kernels.map(product));
    case "DepthwiseConv2D":
      return (elements(layer, output) / (kernels[0][2] * kernels[0][3])) * product(kernels[0]);
    case "Conv2DTranspose":
    case "Conv3DTranspose":
      // Every input is multiplied with the whole of its channel's kernel, which ends in the input's channels.
      return (elements(layer, input) / last(kernels[0])) * product(kernels[0]);
    case "SimpleRNN":
    case "LSTM":
    case "GRU":
    case "RNN":
    case "Bidirectional":
      return steps(layer, input) * sum(kernels.map(product));
    case "TimeDistributed":
      return steps(layer, input) * layerMacs(wrapped(layer), withoutTime(input), withoutTime(output));
    case "Embedding":
    case "BatchNormalization":
    case "LayerNormalization":
      return 0;
    default:
      if (kernels.length === 0) return 0;
      throw unknownCost(layer, `is a ${layer.getClassName()}, whose kernels are multiplied nobody knows how often`);
  }
}

/** Shapes of the weights that are matrices or more: vectors are biases, gains and statistics. */
function kernelShapes(layer: Layer): number[][] {
  return layer.weights.map(({ shape }) => shape as number[]).filter((shape) => shape.length > 1);
}

function elements(layer: Layer, shape: Shape): number {
  return product(shape.slice(1).map((length) => known(layer, length)));
}

function steps(layer: Layer, input: Shape): number {
  return known(layer, input[1]);
}

function known(layer: Layer, length: number | null): number {
  if (length === null) throw unknownCost(layer, "has a shape that is open in another dimension than the batch");
  return length;
}

function withoutTime([batch, _time, ...rest]: Shape): Shape {
  return [batch, ...rest];
}

/** The layer that a wrapper applies to each time step. */
function wrapped(layer: Layer): Layer {
  return (layer as unknown as { readonly layer: Layer }).layer;
}

function unknownCost(layer: Layer, what: string): MurmurError {
  return new MurmurError(
    "config-invalid",
    `The time that the model takes on a phone is unknown: "${layer.name}" ${what}.`,
    {
      hint: "Build the model of tf.layers' own layers, with an input of a fixed shape.",
    },
  );
}

function product(lengths: readonly number[]): number {
  return lengths.reduce((all, length) => all * length, 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function last(shape: readonly number[]): number {
  return shape[shape.length - 1];
}
