#!/usr/bin/env node
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline/promises";
import type { Edge, OutputStream, Signal } from "./edge.ts";
import { runCommandLine } from "./program.ts";

/** The real process as an {@link Edge}. */
function processEdge(): Edge {
  return {
    stdout: outputStream(process.stdout),
    stderr: outputStream(process.stderr),
    stdin: {
      isTTY: process.stdin.isTTY === true,
      async read() {
        const chunks: Buffer[] = [];
        for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
        return Buffer.concat(chunks).toString("utf8");
      },
      async question(prompt) {
        const lines = createInterface({ input: process.stdin, output: process.stderr });
        try {
          return await lines.question(prompt);
        } finally {
          lines.close();
        }
      },
    },
    env: process.env,
    cwd: process.cwd(),
    argv: process.argv.slice(2),
    cores: availableParallelism(),
    clock: () => Date.now(),
    every(milliseconds, callback) {
      const timer = setInterval(callback, milliseconds);
      timer.unref();
      return () => clearInterval(timer);
    },
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    onSignal(handler) {
      const signals: Signal[] = ["SIGINT", "SIGTERM"];
      for (const signal of signals) process.on(signal, handler);
      return () => {
        for (const signal of signals) process.off(signal, handler);
      };
    },
  };
}

function outputStream(stream: NodeJS.WriteStream): OutputStream {
  let closed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed = true;
  });
  return {
    write(text) {
      if (!closed) stream.write(text);
    },
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    get rows() {
      return stream.rows ?? 24;
    },
    get closed() {
      return closed;
    },
  };
}

/** Ends the process once what was written has left it: pipes are written behind the program's back. */
function endWith(exitCode: number): void {
  let open = 2;
  const end = () => {
    open -= 1;
    if (open === 0) process.exit(exitCode);
  };
  process.stdout.write("", end);
  process.stderr.write("", end);
}

endWith(await runCommandLine(process.argv.slice(2), processEdge()));
