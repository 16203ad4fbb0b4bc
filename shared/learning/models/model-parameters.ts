import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { SeededRandom } from "../../random/seeded-random.ts";
import { type ParameterManifest, type ParameterVector, parameterManifest } from "../parameters.ts";
import { withCpuBackend } from "./backend-scope.ts";
import { buildModel } from "./build-model.ts";
import { declarationOf } from "./declared-weights.ts";
import type { ModelDefinition } from "./model-definition.ts";
import { drawWeight } from "./seeded-initializers.ts";

/** Where each weight of a model that was built here lies in the flat vector: the order of `model.weights`. */
export function parameterManifestOf(model: LayersModel): ParameterManifest {
  // A frozen layer's weights do not know that they are.
  const trained = new Set(model.trainableWeights);
  return parameterManifest(
    model.weights.map((weight) => {
      const kind = trained.has(weight) ? "trained" : declarationOf(weight).trainable ? "frozen" : "statistics";
      // originalName, because tfjs numbers the names of a second model of the same kind in a process.
      return { name: weight.originalName, shape: weight.shape as number[], kind };
    }),
  );
}

/** The manifest of a definition's model. */
export function parameterManifestFor(definition: ModelDefinition): ParameterManifest {
  return withCpuBackend(() => {
    const model = buildModel(definition);
    const manifest = parameterManifestOf(model);
    model.dispose();
    return manifest;
  });
}

/**
 * Initial parameters, drawn in the order of the manifest by the initialisers that the layers declare (the zoo's: Glorot
 * uniform for kernels, zero for biases), from this stream and not from tf.layers' own generator.
 *
 * @throws when a layer declares an initialiser that tf.layers does not have.
 */
export function initialParameters(definition: ModelDefinition, random: SeededRandom): ParameterVector {
  return withCpuBackend(() => {
    const model = buildModel(definition);
    const manifest = parameterManifestOf(model);
    const parameters = new Float32Array(manifest.size);
    for (const [i, { name, shape, offset, size }] of manifest.tensors.entries()) {
      drawWeight(declarationOf(model.weights[i]), name, shape, parameters.subarray(offset, offset + size), random);
    }
    model.dispose();
    return parameters;
  });
}
