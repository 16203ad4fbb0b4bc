import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import { parameterManifestFor } from "../../shared/learning/models/model-parameters.ts";
import type { TensorEntry } from "../../shared/learning/parameters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";

/** A dense layer's place in a model's vector: its kernel is inputs × units, row by row. */
export interface DenseLayer {
  readonly kernel: TensorEntry;
  readonly bias: TensorEntry;
  readonly inputs: number;
  readonly units: number;
}

/** @throws {MurmurError} model-data-mismatch when the model's first layer is not dense with a bias */
export function firstDenseLayer(model: ModelDefinition): DenseLayer {
  return denseAt(model, 0, "begins");
}

/** @throws {MurmurError} likewise, of the last one */
export function lastDenseLayer(model: ModelDefinition): DenseLayer {
  return denseAt(model, -2, "ends");
}

function denseAt(model: ModelDefinition, at: number, where: string): DenseLayer {
  const { tensors } = parameterManifestFor(model);
  const [kernel, bias] = [tensors.at(at), tensors.at(at + 1)];
  if (kernel === undefined || bias === undefined || kernel.shape.length !== 2 || bias.shape.length !== 1) {
    throw new MurmurError(
      "model-data-mismatch",
      `${model.title} does not ${where.replace(/s$/, "")} with a dense layer and its bias, which the attack reads.`,
      {
        hint: "Attack a model with dense layers, such as 2nn or softmax.",
      },
    );
  }
  return { kernel, bias, inputs: kernel.shape[0], units: kernel.shape[1] };
}
