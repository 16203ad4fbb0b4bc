import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import type { ParameterManifest, ParameterVector } from "../../../shared/learning/parameters.ts";
import { graphBuilder, type Value } from "./graph-builder.ts";
import type { KernelTable } from "./kernel.ts";
import { KERNELS } from "./kernels/index.ts";
import { SHAPES_AND_SUMS } from "./kernels/shapes-and-sums.ts";
import { STANDARD_IMAGES } from "./kernels/standard-images.ts";
import { lowerInOrder, lowering } from "./lowering.ts";
import { encodeModel, type Initializer, type OnnxGraph } from "./model-proto.ts";
import { anyBatch, BATCH } from "./symbolic-batch.ts";
import { INPUT, parameterInput, traceInference } from "./trace.ts";

/** Each tfjs kernel in tfjs's own layout, convolutions and pools by the operators that any ONNX runtime knows best. */
const INFERENCE_KERNELS: KernelTable = Object.fromEntries(
  Object.entries({ ...KERNELS, ...SHAPES_AND_SUMS, ...STANDARD_IMAGES }).map(([name, { infer, lower }]) => [
    name,
    { infer, lower },
  ]),
);

/** A trained model as an ONNX file, and how to call it. */
export interface InferenceModel {
  /** An ONNX ModelProto, opset 21. */
  readonly bytes: Uint8Array;
  /** float32, its first dimension "batch" where any number of examples may be given at once, else 1. */
  readonly input: { readonly name: string; readonly shape: readonly (number | string)[] };
  /**
   * float32 [batch, outputs]: `probabilities` (softmax or sigmoid of the logits) for models of a cross-entropy, `values`
   * otherwise.
   */
  readonly output: { readonly name: "probabilities" | "values"; readonly shape: readonly (number | string)[] };
}

/**
 * The forward pass as at inference, with the trained parameters inside, under their names in the manifest.
 * Convolutions and pools are ONNX's own operators, whatever the engine makes of them when it trains.
 *
 * @throws UntraceableModelError when a kernel has no ONNX form.
 */
export function compileInference(definition: ModelDefinition, parameters: ParameterVector): InferenceModel {
  const name = definition.loss === "meanSquaredError" ? "values" : "probabilities";
  // Of one trace: a layer without a name of its own has another in the next.
  const { manifest } = traceInference(definition, 1);
  const graphOf = (batch: number) => inferenceGraph(definition, batch, manifest, name);
  const symbolic = anyBatch(graphOf, INPUT.examples);
  const batch = symbolic === undefined ? 1 : BATCH;
  const graph = symbolic ?? graphOf(1);
  return {
    bytes: encodeModel(withParameters(graph, manifest, parameters)),
    input: { name: INPUT.examples, shape: [batch, ...definition.inputShape] },
    output: { name, shape: [batch, definition.outputs] },
  };
}

function inferenceGraph(
  definition: ModelDefinition,
  batch: number,
  { tensors }: ParameterManifest,
  output: string,
): OnnxGraph {
  const trace = traceInference(definition, batch);
  // Constants are not shared: those of different meaning may be equal at one batch and not at another.
  const graph = graphBuilder(false);
  const shape = [batch, ...definition.inputShape];
  const inputs = new Map<string, Value>([
    [INPUT.examples, graph.input(INPUT.examples, { type: "float32", shape })],
    ...tensors.map((tensor, i): [string, Value] => [
      parameterInput(i),
      graph.input(tensor.name, { type: "float32", shape: tensor.shape }),
    ]),
  ]);
  const context = lowering(graph, (name) => inputs.get(name), INFERENCE_KERNELS);
  lowerInOrder([trace.output], context);
  graph.output(output, context.value(trace.output));
  return graph.build();
}

/** The parameters as initialisers, where they were inputs. */
function withParameters(graph: OnnxGraph, { tensors }: ParameterManifest, parameters: ParameterVector): OnnxGraph {
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  const initializers = tensors
    .filter(({ name }) => read.has(name))
    .map(
      ({ name, shape, offset, size }): Initializer => ({
        name,
        type: "float32",
        shape,
        // A copy, so that the bytes are the tensor's own.
        values: parameters.slice(offset, offset + size),
      }),
    );
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => name === INPUT.examples),
    initializers: [...graph.initializers, ...initializers],
  };
}
