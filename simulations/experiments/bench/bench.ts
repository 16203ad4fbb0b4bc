import { join } from "node:path";
import type { RunStamp } from "../run-stamp.ts";
import { type Baseline, centralBaseline, chanceBaseline, localOnlyBaseline } from "./baselines.ts";
import type { BenchConfig } from "./bench-config.ts";
import { type BenchFacts, benchFacts } from "./bench-facts.ts";
import { benchCells, type Cell, certifiedCell } from "./bench-grid.ts";
import { runCells } from "./cell-pool.ts";
import { type CellResult, cellResults } from "./cell-result.ts";

/** A cell and what it came to. */
export interface FinishedCell {
  readonly cell: Cell;
  readonly result: CellResult;
}

/** A benchmark that is over, or was stopped. */
export interface BenchResult {
  readonly cells: readonly FinishedCell[];
  /** Cells that have no result. */
  readonly unfinished: readonly Cell[];
  readonly certified?: FinishedCell;
  readonly facts: BenchFacts;
  readonly baselines: { readonly central?: Baseline; readonly localOnly?: Baseline; readonly chance?: Baseline };
}

export interface BenchOptions {
  readonly bench: BenchConfig;
  /** What is finished is found here again. */
  readonly folder: string;
  readonly processes: number;
  readonly stamp: RunStamp;
  readonly stopped: AbortSignal;
  /** Each cell once, those first that had been run before. */
  onCell(finished: FinishedCell, done: number, of: number): void;
  /** Of a cell's process. */
  readonly program?: URL;
}

/** Runs what has not been run, and puts everything together. */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { bench, folder, processes, stamp, stopped, program } = options;
  const cells = benchCells(bench);
  const certified = certifiedCell(bench);
  const all = certified === undefined ? cells : [...cells, certified];
  const results = cellResults(join(folder, "cells"));
  const finished = new Map<string, FinishedCell>();

  function take(cell: Cell, result: CellResult): void {
    finished.set(cell.id, { cell, result });
    options.onCell({ cell, result }, finished.size, all.length);
  }

  for (const cell of all) {
    const known = results.read(cell);
    if (known !== undefined) take(cell, known);
  }
  const facts = await benchFacts(cells[0]);
  const running = runCells(
    all.filter(({ id }) => !finished.has(id)),
    {
      processes,
      folder: join(folder, "cells"),
      stamp,
      ...(program === undefined ? {} : { program }),
      onResult(cell, result) {
        results.write(result);
        take(cell, result);
      },
    },
    stopped,
  );
  const [baselines] = await Promise.all([stopped.aborted ? {} : baselinesOf(bench, cells[0]), running]);
  const beside = certified === undefined ? undefined : finished.get(certified.id);
  return {
    cells: cells.flatMap(({ id }) => finished.get(id) ?? []),
    unfinished: all.filter(({ id }) => !finished.has(id)),
    facts,
    baselines,
    ...(beside === undefined ? {} : { certified: beside }),
  };
}

async function baselinesOf({ baselines }: BenchConfig, { config }: Cell): Promise<BenchResult["baselines"]> {
  return {
    ...(baselines.includes("chance") ? { chance: await chanceBaseline(config) } : {}),
    ...(baselines.includes("local-only") ? { localOnly: await localOnlyBaseline(config) } : {}),
    ...(baselines.includes("central") ? { central: await centralBaseline(config) } : {}),
  };
}
