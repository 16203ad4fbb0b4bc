import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";

/**
 * Runs `body` with the tfjs backend `name` and puts the backend before it back, because tfjs has one active backend a
 * process and engines share it. `body` is synchronous: nothing else can run while its backend is active.
 *
 * @throws when no backend of this name is registered, or it starts asynchronously and was not awaited before.
 */
export function withBackend<T>(name: string, body: () => Synchronous<T>): T {
  const previous = activeBackend();
  if (previous !== name) activate(name);
  if (name === "cpu") silenceFirstWrite();
  try {
    return body();
  } finally {
    if (previous !== name) activate(previous);
  }
}

/** Runs `body` with the plain JavaScript backend, which every platform has. */
export function withCpuBackend<T>(body: () => Synchronous<T>): T {
  return withBackend("cpu", body);
}

/** Starts a backend that starts asynchronously (WASM, WebGPU), and leaves the active one active. */
export async function startBackend(name: string): Promise<void> {
  const previous = activeBackend();
  const started = await tf.setBackend(name);
  activate(previous);
  if (!started) throw new Error(`The tfjs backend "${name}" did not start.`);
}

type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/** The name of the active backend. */
export function activeBackend(): string {
  // Asking for the backend makes tfjs choose one, by its own priorities, when none is active yet.
  tf.backend();
  return tf.getBackend();
}

function activate(name: string): void {
  // setBackend is asynchronous only for backends that are: a synchronous one is active when the call returns.
  void tf.setBackend(name).catch(() => undefined);
  if (tf.engine().backendName !== name || tf.engine().registry[name] === undefined) {
    throw new Error(`The tfjs backend "${name}" is not ready: register it and await startBackend("${name}") first.`);
  }
}

let silenced = false;

/**
 * The CPU backend advertises tfjs-node on standard error at its first write unless tfjs is in production mode, which
 * also switches its own checks off: so production mode lasts for one write only.
 */
function silenceFirstWrite(): void {
  if (silenced) return;
  silenced = true;
  const production = tf.env().getBool("PROD");
  tf.env().set("PROD", true);
  tf.scalar(0).dispose();
  tf.env().set("PROD", production);
}
