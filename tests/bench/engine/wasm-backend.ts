import { startBackend } from "../../../shared/learning/models/backend-scope.ts";

/**
 * Registers tfjs's WASM backend and starts it. The project does not depend on its package: it is measured where it is
 * installed.
 *
 * @throws when the package is not installed.
 */
export async function startWasmBackend(): Promise<void> {
  const packageName: string = "@tensorflow/tfjs-backend-wasm";
  await import(packageName);
  await startBackend("wasm");
}
