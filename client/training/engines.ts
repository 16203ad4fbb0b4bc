import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import type { Trainer } from "./trainer.ts";

/** Makes a trainer of a model. Fails before any training when the engine cannot train it. */
export type TrainerFactory = (definition: ModelDefinition) => Promise<Trainer>;

/**
 * The engines by name, each loaded when it is first asked for: a browser never loads a native library, and a command
 * that trains nothing loads none of them. Add a line here to add one.
 */
export const ENGINES: Readonly<Record<Trainer["engine"], TrainerFactory>> = {
  onnx: async (definition) => (await import("./onnx/trainer.ts")).createOnnxTrainer(definition),
  tfjs: async (definition) => (await import("./tfjs/trainer.ts")).createTfjsTrainer(definition),
  "tfjs-node": async (definition) => (await import("./tfjs-node/trainer.ts")).createTfjsNodeTrainer(definition),
};
