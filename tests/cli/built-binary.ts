import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)));
const SOURCES = ["shared", "client", "server", "simulations", "cli", "web"];

/** The same from the sources and from what they are compiled into. */
function packageRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : packageRoot(dirname(folder));
}

/** The command as it is installed: what `npm ci` builds. Built here when it is missing or older than its sources. */
export const BINARY = join(ROOT, "dist", "cli", "main.js");

/** Call it before the first {@link spawnMurmur}. */
export function ensureBuilt(): void {
  const built = existsSync(BINARY) ? statSync(BINARY).mtimeMs : 0;
  const newest = Math.max(...SOURCES.map((folder) => newestSource(join(ROOT, folder))));
  if (built > newest) return;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["build.mjs"], { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
}

/** The built command in a process of its own, with nothing of this one's environment that would change it. */
export function spawnMurmur(
  args: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...environment };
  return spawn(process.execPath, [BINARY, ...args], { cwd, env });
}

/** What it printed and how it ended, once it has. */
export async function ended(
  child: ChildProcessWithoutNullStreams,
): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    written.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    written.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, ...written }));
  });
}

function newestSource(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  return Math.max(0, ...files.map((name) => statSync(join(folder, name)).mtimeMs));
}
