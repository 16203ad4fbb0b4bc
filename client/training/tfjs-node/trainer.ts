import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import { activeBackend } from "../../../shared/learning/models/backend-scope.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { createTfjsTrainer } from "../tfjs/trainer.ts";
import type { Trainer } from "../trainer.ts";

// A name in a variable, because the package is an optional peer: neither compiler nor bundler may insist on it.
const PACKAGE: string = "@tensorflow/tfjs-node";
const BACKEND = "tensorflow";

/**
 * Trains with TensorFlow's C library through tfjs-node, where a person has installed it.
 *
 * @throws MurmurError engine-unavailable when it is not installed, or does not load on this version of Node.
 */
export async function createTfjsNodeTrainer(definition: ModelDefinition): Promise<Trainer> {
  const previous = activeBackend();
  const install = `Install it with \`npm install ${PACKAGE}@4.22.0\` (Node 22 or older; its install step downloads a native library), or use the engine \`onnx\`.`;
  if (!isInstalled()) {
    throw new MurmurError("engine-unavailable", `${PACKAGE} is not installed.`, { hint: install });
  }
  try {
    await import(PACKAGE);
  } catch (cause) {
    const message = `${PACKAGE} is installed and does not load on ${process.version}.`;
    throw new MurmurError("engine-unavailable", message, { hint: install, cause });
  }
  if (tf.engine().findBackendFactory(BACKEND) === null) {
    throw new MurmurError("engine-unavailable", `${PACKAGE} brought a tfjs-core of its own.`, {
      hint: `Install the version that shares this program's tfjs-core: \`npm install ${PACKAGE}@4.22.0\`.`,
    });
  }
  // Loading it makes its backend the active one.
  await tf.setBackend(previous);
  return createTfjsTrainer(definition, { backend: BACKEND, engine: "tfjs-node" });
}

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}
