import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
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

/** Which engine trains a model. */
export interface EngineChoice {
  readonly engine: Trainer["engine"];
  /** Why it is not the one that was asked for. */
  readonly instead?: MurmurError;
}

/**
 * The engine that was asked for if it can train the model, and otherwise the fallback if that one can.
 *
 * @throws {MurmurError} what the first engine says of the model, when neither can.
 */
export async function chooseEngine(
  definition: ModelDefinition,
  engine: Trainer["engine"],
  fallback: Trainer["engine"] | undefined,
): Promise<EngineChoice> {
  if (fallback === undefined) return { engine };
  const refusal = await refusalOf(definition, engine);
  if (refusal === undefined) return { engine };
  if ((await refusalOf(definition, fallback)) !== undefined) throw refusal;
  return { engine: fallback, instead: refusal };
}

/** What an engine says of a model that it cannot train. */
async function refusalOf(definition: ModelDefinition, engine: Trainer["engine"]): Promise<MurmurError | undefined> {
  try {
    const trainer = await ENGINES[engine](definition);
    await trainer.dispose();
    return undefined;
  } catch (error) {
    if (error instanceof MurmurError) return error;
    throw error;
  }
}
