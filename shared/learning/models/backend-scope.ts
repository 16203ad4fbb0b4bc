import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";

/**
 * Runs `body` with the tfjs backend `name` and puts the backend before it back, because tfjs has one active backend a
 * process and engines share it. `body` is synchronous: nothing else can run while its backend is active.
 *
 * @throws when no backend of this name is registered, or it starts asynchronously and was not awaited before.
 */
export function withBackend<T>(name: string, body: () => T extends PromiseLike<unknown> ? never : T): T {
  const engine = tf.engine();
  const previous: string | undefined | null = engine.backendName;
  if (previous !== name) activate(name);
  try {
    return body();
  } finally {
    if (previous !== name && previous !== undefined && previous !== null) void tf.setBackend(previous);
  }
}

/** Runs `body` with the plain JavaScript backend, which every platform has. */
export function withCpuBackend<T>(body: () => T extends PromiseLike<unknown> ? never : T): T {
  return withBackend("cpu", () => {
    silenceFirstWrite();
    return body();
  });
}

function activate(name: string): void {
  // setBackend is asynchronous only for backends that are: a synchronous one is active when the call returns.
  void tf.setBackend(name).catch(() => undefined);
  const active = tf.engine().registry[name];
  if (tf.engine().backendName !== name || active === undefined) {
    throw new Error(`The tfjs backend "${name}" is not ready: register it and await tf.setBackend("${name}") first.`);
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
