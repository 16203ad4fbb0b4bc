import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

/** A source file as a program for plain Node, so that a test can kill it: nothing of a test runner is in between. */
export interface CompiledProcess {
  start(...args: readonly string[]): ChildProcessByStdio<null, Readable, null>;
  /** Kills what still runs, and deletes the program. */
  remove(): void;
}

/** Compiles one file of the tests, named from the repository's root, and what it imports. */
export function compileProcess(source: string): CompiledProcess {
  const temporary = mkdtempSync(join(tmpdir(), "murmur-process-"));
  const running = new Set<ChildProcessByStdio<null, Readable, null>>();
  const project = join(temporary, "tsconfig.json");
  const options = { noEmit: false, rootDir: REPOSITORY, outDir: join(temporary, "code"), sourceMap: false };
  const config = {
    extends: join(REPOSITORY, "tsconfig.json"),
    compilerOptions: { ...options, typeRoots: [join(REPOSITORY, "node_modules/@types")] },
    include: [],
    files: [join(REPOSITORY, source)],
  };
  writeFileSync(project, JSON.stringify(config));
  writeFileSync(join(temporary, "package.json"), JSON.stringify({ type: "module" }));
  symlinkSync(join(REPOSITORY, "node_modules"), join(temporary, "node_modules"));
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  const compiler = join(manifest, "..", "bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", project], { encoding: "utf8" });
  if (stdout + stderr !== "") throw new Error(`${source} does not compile:\n${stdout}${stderr}`);
  const program = join(temporary, "code", source.replace(/\.ts$/, ".js"));
  return {
    start(...args) {
      const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
      running.add(child);
      child.once("exit", () => running.delete(child));
      return child;
    },
    remove() {
      for (const child of running) child.kill("SIGKILL");
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
