import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** `serve.json` in the run's folder: how this machine's own commands reach the coordinator that serves the run. */
export const SERVE_FILE = "serve.json";

const serveFileSchema = z.strictObject({
  url: z.string(),
  pid: z.int(),
  /** Enrols devices. */
  joinToken: z.string(),
  /** Changes what the coordinator does. */
  operatorToken: z.string(),
});
export type ServeFile = z.infer<typeof serveFileSchema>;

/** Readable by its owner only: whoever has the tokens can let devices in, and stop the run. */
export function writeServeFile(folder: string, content: ServeFile): void {
  const path = join(folder, SERVE_FILE);
  writeFileSync(`${path}.part`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  chmodSync(`${path}.part`, 0o600);
  renameSync(`${path}.part`, path);
}

/** Undefined when no coordinator serves the run, nor one that was killed; or the file is not one. */
export function readServeFile(folder: string): ServeFile | undefined {
  try {
    return serveFileSchema.parse(JSON.parse(readFileSync(join(folder, SERVE_FILE), "utf8")));
  } catch {
    return undefined;
  }
}

export function removeServeFile(folder: string): void {
  rmSync(join(folder, SERVE_FILE), { force: true });
}
