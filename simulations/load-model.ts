import type { LayersModel } from "@tensorflow/tfjs-layers";
import { checkFit } from "../shared/learning/models/dataset-fit.ts";
import { type DatasetShape, type Loss, type ModelDefinition, modelFor } from "../shared/learning/models/index.ts";
import { initialParameters, parameterManifestFor } from "../shared/learning/models/model-parameters.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { seededRandom } from "../shared/random/seeded-random.ts";
import { callModule, importModule, MODULE_PATH, moduleInvalid, moduleRecord } from "./own-module.ts";

/**
 * The model that a configuration's `task.model` names: one of the program's own, or the module at a path.
 * @throws {MurmurError} `model-unknown`, `model-data-mismatch`, `module-invalid`
 */
export async function loadModel(model: string, dataset: DatasetShape): Promise<ModelDefinition> {
  if (!MODULE_PATH.test(model)) return modelFor(model, dataset);
  const exported = await importModule("model", model);
  const { inputShape, labels, outputs } = dataset;
  const described: unknown =
    typeof exported === "function"
      ? await callModule("model", model, () => exported({ inputShape, labels, outputs }))
      : exported;
  const definition = asDefinition(model, described);
  checkFit(definition, dataset);
  await tryModel(model, definition);
  return definition;
}

/** What devices are told of a model: its name, or which module it is, whatever its path is there. */
export function modelReference(model: string): string {
  return MODULE_PATH.test(model) ? `module:${moduleRecord("model", model).sha256}` : model;
}

/**
 * The model that a reference means: one of the program's own, or the module that this process was given, if it is the one.
 * @throws {MurmurError} `device-refused` when it is not, and as {@link loadModel}
 */
export async function loadReferredModel(
  reference: string,
  own: string | undefined,
  dataset: DatasetShape,
): Promise<ModelDefinition> {
  if (!reference.startsWith("module:")) return loadModel(reference, dataset);
  if (own === undefined || !MODULE_PATH.test(own)) {
    throw new MurmurError(
      "device-refused",
      "The coordinator trains a model of its own, and these devices were given none.",
      {
        hint: "Give them the module: `murmur join URL --model model.mjs`, or the coordinator's configuration with --config.",
      },
    );
  }
  if (modelReference(own) === reference) return loadModel(own, dataset);
  throw new MurmurError("device-refused", `The model module ${own} is not the coordinator's: its SHA-256 differs.`, {
    hint: "Give the devices the coordinator's file.",
  });
}

const LOSSES: Readonly<Record<Loss, true>> = {
  softmaxCrossEntropy: true,
  sigmoidCrossEntropy: true,
  meanSquaredError: true,
};

function asDefinition(path: string, described: unknown): ModelDefinition {
  if (typeof described !== "object" || described === null) {
    throw moduleInvalid("model", path, "is neither a description nor a function that returns one.");
  }
  const { name, title, inputShape, outputs, loss, createModel } = described as Record<string, unknown>;
  if (!Array.isArray(inputShape) || inputShape.length === 0 || !inputShape.every(isCount)) {
    throw moduleInvalid("model", path, "has no inputShape, the lengths of one example's dimensions.");
  }
  if (!isCount(outputs)) throw moduleInvalid("model", path, "has no outputs, the number of values that it ends in.");
  if (typeof loss !== "string" || !isLoss(loss)) {
    throw moduleInvalid("model", path, `has a loss that is none of ${Object.keys(LOSSES).join(", ")}.`);
  }
  if (typeof createModel !== "function") throw moduleInvalid("model", path, "has no function createModel(tf).");
  const called = typeof name === "string" && name !== "" ? name : "own model";
  return {
    name: called,
    title: typeof title === "string" && title !== "" ? title : called,
    inputShape: inputShape as number[],
    outputs,
    loss,
    createModel(tf) {
      const built: unknown = createModel.call(described, tf);
      if (built instanceof tf.layers.Layer && "layers" in built) return built as LayersModel;
      throw moduleInvalid("model", path, "returned no tf.layers model from createModel, which is not asynchronous.");
    },
  };
}

/** Builds it and draws its parameters, so that what fails does so before anything has begun. */
async function tryModel(path: string, definition: ModelDefinition): Promise<void> {
  const names = () => parameterManifestFor(definition).tensors.map((tensor) => tensor.name);
  const [once, again] = await callModule("model", path, () => {
    initialParameters(definition, seededRandom(0, "parameters"));
    return [names(), names()];
  });
  const unnamed = once.find((name, i) => name !== again[i]);
  if (unnamed !== undefined) {
    throw moduleInvalid(
      "model",
      path,
      `has a layer without a name of its own, of the parameter "${unnamed}": write { name: "…" } in each layer.`,
    );
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function isLoss(value: string): value is Loss {
  return Object.hasOwn(LOSSES, value);
}
