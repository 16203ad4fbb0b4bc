import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { configDocument } from "../config.ts";
import type { RunStamp } from "../run-stamp.ts";
import type { Cell } from "./bench-grid.ts";
import type { CellAnswer, CellOrder } from "./cell-messages.ts";
import type { CellResult } from "./cell-result.ts";

/** The program of one process, beside this file; it has to be JavaScript, which the sources that tests run from are not. */
const PROGRAM = new URL("./cell-process.js", import.meta.url);

export interface CellPoolOptions {
  readonly processes: number;
  /** Runs take place in it. */
  readonly folder: string;
  readonly stamp: RunStamp;
  onResult(cell: Cell, result: CellResult): void;
  readonly program?: URL;
}

/**
 * Runs cells in processes of their own, as many at a time as `processes`, those that take longest first. A cell that
 * fails is told of and does not end the others.
 *
 * @param stopped once it is aborted, no cell begins, and those that run are given up
 */
export async function runCells(cells: readonly Cell[], options: CellPoolOptions, stopped: AbortSignal): Promise<void> {
  const waiting = [...cells].sort((a, b) => effort(b) - effort(a));
  const lines = Array.from({ length: Math.min(options.processes, waiting.length) }, async () => {
    const process = openProcess(options);
    const kill = (): void => process.close();
    stopped.addEventListener("abort", kill);
    try {
      for (let cell = waiting.shift(); cell !== undefined && !stopped.aborted; cell = waiting.shift()) {
        const result = await process.run(cell);
        if (result !== undefined && !stopped.aborted) options.onResult(cell, result);
      }
    } finally {
      stopped.removeEventListener("abort", kill);
      process.close();
    }
  });
  await Promise.all(lines);
}

/** Devices that train over the whole of it. */
function effort({ key }: Cell): number {
  return key.population * key.sampling * key.rounds;
}

function openProcess({ folder, stamp, program = PROGRAM }: CellPoolOptions) {
  let child: ChildProcess | undefined;
  let isClosed = false;
  return {
    /** Its result; undefined where the process was closed meanwhile. */
    run(cell: Cell): Promise<CellResult | undefined> {
      const running = child ?? fork(fileURLToPath(program), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
      child = running;
      return new Promise((resolve) => {
        const end = (result: CellResult | undefined): void => {
          running.removeAllListeners();
          resolve(result);
        };
        running.once("message", (answer: CellAnswer) => {
          if (answer.kind === "done") end(answer.result);
          else end(answer.kind === "failed" ? failed(cell, answer.message) : undefined);
        });
        running.once("exit", (code, signal) => {
          child = undefined;
          end(isClosed ? undefined : failed(cell, `its process ended with ${signal ?? `code ${code}`}`));
        });
        running.once("error", (error) => end(failed(cell, error.message)));
        const order: CellOrder = {
          id: cell.id,
          document: configDocument(cell.config),
          folder: join(folder, `${cell.id}.running`),
          stamp,
        };
        running.send(order);
      });
    },
    close(): void {
      isClosed = true;
      child?.kill("SIGKILL");
      child = undefined;
    },
  };
}

function failed({ id }: Cell, error: string): CellResult {
  return {
    id,
    status: "failed",
    error,
    accuracy: null,
    accuracyByClass: [],
    series: [],
    noiseMultiplier: null,
    epsilon: null,
    roster: null,
    exact: null,
    stamps: [],
    wallSeconds: 0,
    cpuSeconds: 0,
    bytesUpPerDevice: 0,
    bytesDownPerDevice: 0,
  };
}
