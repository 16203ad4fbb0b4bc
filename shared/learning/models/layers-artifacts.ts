import * as tf from "@tensorflow/tfjs-layers";
import { type ParameterManifest, type ParameterVector, parameterBytes } from "../parameters.ts";
import { withCpuBackend } from "./backend-scope.ts";
import { declaringWeights } from "./declared-weights.ts";
import type { ModelDefinition } from "./model-definition.ts";
import { parameterManifestFor, parameterManifestOf } from "./model-parameters.ts";

/** A trained model as `tf.loadLayersModel` takes it: https://www.tensorflow.org/js/guide/save_load, "model.json". */
export interface LayersArtifacts {
  /** Everything but the weights' bytes. */
  readonly modelJson: {
    readonly format: "layers-model";
    readonly generatedBy: string;
    readonly convertedBy: null;
    readonly modelTopology: object;
    readonly weightsManifest: readonly {
      readonly paths: readonly string[];
      readonly weights: readonly {
        readonly name: string;
        readonly shape: readonly number[];
        readonly dtype: "float32";
      }[];
    }[];
    readonly userDefinedMetadata: object;
  };
  /** The bytes of each of `paths`. */
  readonly shards: ReadonlyMap<string, Uint8Array>;
}

/** As the converter of TensorFlow.js cuts them: browsers cache files of this size. */
const SHARD_BYTES = 4 * 1024 * 1024;

/**
 * The model as its definition builds it, the link at its end included where it has one, with these parameters.
 * @param metadata what a reader of model.json should know
 */
export function layersArtifacts(
  definition: ModelDefinition,
  parameters: ParameterVector,
  metadata: object,
): LayersArtifacts {
  const { topology, weights } = withCpuBackend(() => {
    const model = declaringWeights(() => definition.createModel(tf));
    const topology = withoutDraws(model.toJSON(null, false)) as object;
    const described = { topology, weights: parameterManifestOf(model).tensors };
    model.dispose();
    return described;
  });
  const bytes = weightBytes(parameterManifestFor(definition), parameters, weights);
  const shards = cut(bytes);
  return {
    modelJson: {
      format: "layers-model",
      generatedBy: `TensorFlow.js tfjs-layers v${tf.version_layers}`,
      convertedBy: null,
      modelTopology: topology,
      weightsManifest: [
        {
          paths: [...shards.keys()],
          weights: weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" as const })),
        },
      ],
      userDefinedMetadata: metadata,
    },
    shards,
  };
}

/**
 * The same topology with zeros as every initialiser: a loader builds the layers before it fills them in, and would draw
 * what it throws away, which takes tfjs a minute for the recurrent kernel of a small LSTM.
 */
function withoutDraws(topology: unknown): unknown {
  if (Array.isArray(topology)) return topology.map(withoutDraws);
  if (typeof topology !== "object" || topology === null) return topology;
  return Object.fromEntries(
    Object.entries(topology).map(([key, value]) =>
      key.endsWith("_initializer") && value !== null
        ? [key, { class_name: "Zeros", config: {} }]
        : [key, withoutDraws(value)],
    ),
  );
}

/** The parameters in the order of the model's own weights, which a link that was taken off could have changed. */
function weightBytes(
  manifest: ParameterManifest,
  parameters: ParameterVector,
  weights: ParameterManifest["tensors"],
): Uint8Array {
  const places = new Map(manifest.tensors.map((tensor) => [tensor.name, tensor]));
  const ordered = new Float32Array(manifest.size);
  let at = 0;
  for (const { name } of weights) {
    const place = places.get(name);
    if (place === undefined) throw new Error(`The model has a weight "${name}" that training did not have.`);
    ordered.set(parameters.subarray(place.offset, place.offset + place.size), at);
    at += place.size;
  }
  return parameterBytes(ordered);
}

function cut(bytes: Uint8Array): Map<string, Uint8Array> {
  const count = Math.max(1, Math.ceil(bytes.length / SHARD_BYTES));
  return new Map(
    Array.from({ length: count }, (_, i) => [
      `group1-shard${i + 1}of${count}.bin`,
      bytes.subarray(i * SHARD_BYTES, (i + 1) * SHARD_BYTES),
    ]),
  );
}
