import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { SeededRandom } from "../../random/seeded-random.ts";
import { type ParameterManifest, type ParameterVector, parameterManifest } from "../parameters.ts";
import { withCpuBackend } from "./backend-scope.ts";
import { buildModel } from "./build-model.ts";
import type { ModelDefinition } from "./model-definition.ts";

/** Where each weight of a model lies in the flat vector: the order of `model.weights`. */
export function parameterManifestOf(model: LayersModel): ParameterManifest {
  // originalName, because tfjs numbers the names of a second model of the same kind in a process.
  return parameterManifest(
    model.weights.map(({ originalName, shape }) => ({ name: originalName, shape: shape as number[] })),
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
 * Initial parameters, drawn in the order of the manifest by the initialisers that the layers declare (the
 * zoo's: Glorot uniform for kernels, zero for biases), from this stream and not from tf.layers' own generator.
 *
 * @throws when a layer declares an initialiser that is not one of zeros, ones, constant and the variance-scaling family.
 */
export function initialParameters(definition: ModelDefinition, random: SeededRandom): ParameterVector {
  return withCpuBackend(() => {
    const model = buildModel(definition);
    const manifest = parameterManifestOf(model);
    const parameters = new Float32Array(manifest.size);
    for (const { name, shape, offset, size } of manifest.tensors) {
      drawWeight(initializerOf(model, name), shape, parameters.subarray(offset, offset + size), random);
    }
    model.dispose();
    return parameters;
  });
}

interface Initializer {
  readonly className: string;
  readonly config: { readonly scale?: number; readonly mode?: string; readonly distribution?: string; value?: number };
}

/** A weight "conv1/kernel" is declared as `kernelInitializer` of the layer "conv1". */
function initializerOf(model: LayersModel, weight: string): Initializer & { readonly weight: string } {
  const slash = weight.lastIndexOf("/");
  const config = model.getLayer(weight.slice(0, slash)).getConfig();
  const field = weight.slice(slash + 1).replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  // tf.layers says recurrentInitializer for recurrent_kernel, and kernelInitializer for kernel.
  const declared = config[`${field}Initializer`] ?? config[`${field.replace(/Kernel$/, "")}Initializer`];
  if (declared === undefined) throw new Error(`No initialiser is declared for the weight "${weight}".`);
  return { ...(declared as unknown as Initializer), weight };
}

function drawWeight(
  { className, config, weight }: Initializer & { readonly weight: string },
  shape: readonly number[],
  values: Float32Array,
  random: SeededRandom,
): void {
  switch (className) {
    case "Zeros":
      return;
    case "Ones":
      values.fill(1);
      return;
    case "Constant":
      values.fill(config.value ?? 0);
      return;
    case "VarianceScaling":
      drawVarianceScaling(config, shape, values, random);
      return;
    default:
      throw new Error(`The weight "${weight}" declares the initialiser ${className}, which has no seeded form.`);
  }
}

/**
 * Variance scale / fan, uniform or normal cut at two standard deviations. Glorot & Bengio 2010, equation 16, is scale 1,
 * the mean of both fans, uniform: ±√(6 / (fan in + fan out)).
 */
function drawVarianceScaling(
  { scale = 1, mode = "fanAvg", distribution = "uniform" }: Initializer["config"],
  shape: readonly number[],
  values: Float32Array,
  random: SeededRandom,
): void {
  const receptiveField = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  const fanIn = receptiveField * shape[Math.max(0, shape.length - 2)];
  const fanOut = receptiveField * shape[shape.length - 1];
  const fan = mode === "fanIn" ? fanIn : mode === "fanOut" ? fanOut : (fanIn + fanOut) / 2;
  const variance = scale / Math.max(1, fan);
  if (distribution === "uniform") {
    const limit = Math.sqrt(3 * variance);
    for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random.uniform() - 1);
    return;
  }
  const deviation = Math.sqrt(variance);
  for (let i = 0; i < values.length; i++) {
    let z = random.normal();
    while (Math.abs(z) > 2) z = random.normal();
    values[i] = deviation * z;
  }
}
