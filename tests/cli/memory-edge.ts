import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Edge, Signal } from "../../cli/edge.ts";
import { runCommandLine } from "../../cli/program.ts";

export interface CommandOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandSurroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text on standard input; absent: a terminal without anybody. */
  readonly stdin?: string;
  /** What a person answers when asked. */
  readonly answer?: string;
  readonly terminal?: { readonly columns: number; readonly rows: number };
  /** Called after each write to standard error, to act at a moment of the run. */
  onOutput?(text: string, process: { signal(signal: Signal): void; closeStdout(): void }): void;
}

/** One command line in this process, with everything around it in memory. */
export async function murmur(args: readonly string[], surroundings: CommandSurroundings = {}): Promise<CommandOutcome> {
  const { terminal } = surroundings;
  const written = { stdout: "", stderr: "" };
  const handlers = new Set<(signal: Signal) => void>();
  let closed = false;
  const process = {
    signal: (signal: Signal) => {
      for (const handler of [...handlers]) handler(signal);
    },
    closeStdout: () => {
      closed = true;
    },
  };
  const stream = (name: "stdout" | "stderr") => ({
    write(text: string) {
      if (name === "stdout" && closed) return;
      written[name] += text;
      surroundings.onOutput?.(text, process);
    },
    isTTY: terminal !== undefined,
    columns: terminal?.columns ?? 80,
    rows: terminal?.rows ?? 24,
    get closed() {
      return name === "stdout" && closed;
    },
  });
  const edge: Edge = {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    stdin: {
      isTTY: surroundings.stdin === undefined,
      read: async () => surroundings.stdin ?? "",
      question: async () => surroundings.answer ?? "",
    },
    env: surroundings.env ?? {},
    cwd: surroundings.cwd ?? tmpdir(),
    argv: args,
    // The sources that tests run from are not what worker threads can be started with.
    cores: 1,
    clock: () => Date.now(),
    every(milliseconds, callback) {
      const timer = setInterval(callback, milliseconds);
      return () => clearInterval(timer);
    },
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    onSignal(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
  const exitCode = await runCommandLine(args, edge);
  return { exitCode, ...written };
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
