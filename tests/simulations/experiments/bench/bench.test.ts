import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BenchResult, type FinishedCell, runBench } from "../../../../simulations/experiments/bench/bench.ts";
import type { BenchConfig } from "../../../../simulations/experiments/bench/bench-config.ts";
import { benchCells } from "../../../../simulations/experiments/bench/bench-grid.ts";
import { cellResults } from "../../../../simulations/experiments/bench/cell-result.ts";
import { BINARY, ensureBuilt } from "../../../cli/built-binary.ts";
import { smallBench } from "./small-bench.ts";

const PROGRAM = pathToFileURL(join(BINARY, "../../simulations/experiments/bench/cell-process.js"));
const STAMP = {
  tool: "0",
  git: null,
  node: process.version,
  os: "os",
  cpu: "cpu",
  cores: 2,
  lockHash: null,
  argv: [],
  startedAt: "2026-01-01T00:00:00.000Z",
};

let folder: string;
beforeAll(ensureBuilt);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bench-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function play(
  bench: BenchConfig,
  options: { processes?: number; stopAfter?: number; program?: URL } = {},
): Promise<BenchResult & { readonly log: readonly FinishedCell[] }> {
  const stopped = new AbortController();
  const log: FinishedCell[] = [];
  const result = await runBench({
    bench,
    folder,
    processes: options.processes ?? 2,
    stamp: STAMP,
    stopped: stopped.signal,
    program: options.program ?? PROGRAM,
    onCell(finished) {
      log.push(finished);
      if (log.length === options.stopAfter) stopped.abort();
    },
  });
  return { ...result, log };
}

/** What a cell came to, without what depends on the machine. */
const figures = ({ cells }: BenchResult) =>
  cells.map(({ result: { cpuSeconds: _cpu, wallSeconds: _wall, ...rest } }) => rest);

describe("a benchmark", () => {
  it("runs every cell to the end of its rounds, and says what it cost", async () => {
    const { cells, unfinished, baselines } = await play(smallBench());
    expect(unfinished).toEqual([]);
    expect(cells).toHaveLength(4);
    for (const { result } of cells) {
      expect(result.status).toBe("done");
      expect(result.series.map(({ round }) => round)).toEqual([1, 2, 3]);
      expect(result.accuracy).toBe(result.series[2].accuracy);
      expect(result.accuracyByClass).toHaveLength(10);
      expect(result.cpuSeconds).toBeGreaterThan(0);
      expect(result.bytesUpPerDevice).toBeGreaterThan(7850 * 2);
      expect(result.epsilon).toBeLessThanOrEqual(result.noiseMultiplier === cells[0].result.noiseMultiplier ? 8 : 2);
    }
    expect(baselines.chance?.accuracy).toBeCloseTo(0.1135, 4);
  });

  it("comes to the same for any number of processes", async () => {
    const two = await play(smallBench({ seeds: [1] }), { processes: 2 });
    rmSync(join(folder, "cells"), { recursive: true });
    const one = await play(smallBench({ seeds: [1] }), { processes: 1 });
    expect(figures(one)).toEqual(figures(two));
  });

  it("goes on where it was stopped: a finished cell is not run again, and the whole is what it would have been", async () => {
    const first = await play(smallBench(), { stopAfter: 1 });
    expect(first.unfinished.length).toBeGreaterThan(0);
    const before = readFileSync(join(folder, "cells", `${first.log[0].cell.id}.json`), "utf8");
    const second = await play(smallBench());
    expect(second.unfinished).toEqual([]);
    expect(readFileSync(join(folder, "cells", `${first.log[0].cell.id}.json`), "utf8")).toBe(before);
    rmSync(join(folder, "cells"), { recursive: true });
    expect(figures(second)).toEqual(figures(await play(smallBench())));
  });

  it("that was killed in the middle of a cell begins that cell anew, and leaves nothing of it", async () => {
    const [cell] = benchCells(smallBench());
    mkdirSync(join(folder, "cells", `${cell.id}.running`), { recursive: true });
    writeFileSync(join(folder, "cells", `${cell.id}.running`, "run.db"), "torn");
    writeFileSync(join(folder, "cells", `${cell.id}.json.part`), '{"id":');
    const { cells } = await play(smallBench({ seeds: [1] }));
    expect(cells.map(({ result }) => result.status)).toEqual(["done", "done"]);
    expect(readdirSync(join(folder, "cells")).filter((name) => name.endsWith(".running"))).toEqual([]);
  });

  it("counts a cell whose process dies as failed, runs the others, and tries it again next time", async () => {
    const program = join(folder, "dies.mjs");
    const real = PROGRAM.href;
    const [cell] = benchCells(smallBench());
    writeFileSync(
      program,
      `import ${JSON.stringify(real)};
       process.on("message", (order) => { if (order.id === ${JSON.stringify(cell.id)}) process.kill(process.pid, "SIGKILL"); });`,
    );
    const { cells } = await play(smallBench({ seeds: [1] }), { program: pathToFileURL(program), processes: 1 });
    expect(cells.map(({ result }) => result.status)).toEqual(["failed", "done"]);
    expect(cells[0].result.error).toMatch(/SIGKILL/);
    const again = await play(smallBench({ seeds: [1] }));
    expect(again.cells.map(({ result }) => result.status)).toEqual(["done", "done"]);
  });
});

describe("a cell's result", () => {
  const RESULT = {
    id: "a",
    status: "done",
    accuracy: 0.5,
    accuracyByClass: [0.5, 0.5],
    series: [],
    noiseMultiplier: null,
    epsilon: null,
    roster: null,
    exact: true,
    stamps: [],
    wallSeconds: 1,
    cpuSeconds: 1,
    bytesUpPerDevice: 1,
    bytesDownPerDevice: 1,
  } as const;

  it("is read as it was written", () => {
    const results = cellResults(folder);
    results.write({ ...RESULT, accuracyByClass: [...RESULT.accuracyByClass], series: [], stamps: [] });
    expect(results.read({ id: "a" })).toEqual(RESULT);
  });

  it.each([
    ["torn", '{"id":"a","status":'],
    ["of another cell", JSON.stringify({ ...RESULT, id: "b" })],
    ["of a cell that failed", JSON.stringify({ ...RESULT, status: "failed" })],
    ["impossible", JSON.stringify({ ...RESULT, accuracy: 7 })],
  ])("that is %s is none: the cell is run again", (_what, text) => {
    writeFileSync(join(folder, "a.json"), text);
    expect(existsSync(join(folder, "a.json"))).toBe(true);
    expect(cellResults(folder).read({ id: "a" })).toBeUndefined();
  });
});
