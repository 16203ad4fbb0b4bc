import type { LayersModel, layers } from "@tensorflow/tfjs-layers";

type Layer = layers.Layer;

/** What wraps a layer: models in models, TimeDistributed, Bidirectional, recurrent layers and stacks of cells. */
interface Wrapper {
  readonly layers?: readonly Layer[];
  readonly layer?: Layer;
  readonly forwardLayer?: Layer;
  readonly backwardLayer?: Layer;
  readonly cell?: Layer;
  readonly cells?: readonly Layer[];
}

/** A model's layers and the layers inside them, each once, from the outside in. */
export function everyLayer(model: LayersModel): Layer[] {
  const found = new Set<Layer>();
  const visit = (layer: Layer | undefined): void => {
    if (layer === undefined || found.has(layer)) return;
    found.add(layer);
    const { layers = [], layer: inner, forwardLayer, backwardLayer, cell, cells = [] } = layer as Layer & Wrapper;
    for (const one of [...layers, inner, forwardLayer, backwardLayer, cell, ...cells]) visit(one);
  };
  for (const layer of model.layers) visit(layer);
  return [...found];
}
