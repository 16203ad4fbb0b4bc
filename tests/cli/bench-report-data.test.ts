import { describe, expect, it } from "vitest";
import type { BenchPlan } from "../../cli/bench-plan.ts";
import { privacyReportData } from "../../cli/bench-report-data.ts";
import type { BenchResult, FinishedCell } from "../../simulations/experiments/bench/bench.ts";
import type { BenchConfig } from "../../simulations/experiments/bench/bench-config.ts";
import { benchCells, type Cell } from "../../simulations/experiments/bench/bench-grid.ts";
import type { CellResult } from "../../simulations/experiments/bench/cell-result.ts";
import { firstSentence } from "../../web/reports/privacy-sentence.ts";
import { smallBench } from "../simulations/experiments/bench/small-bench.ts";

const STAMP = {
  tool: "0",
  git: null,
  node: "v20",
  os: "os",
  cpu: "cpu",
  cores: 2,
  lockHash: null,
  argv: [],
  startedAt: "2026-01-01T00:00:00.000Z",
};

function resultOf(cell: Cell, accuracy: number): CellResult {
  return {
    id: cell.id,
    status: "done",
    accuracy,
    accuracyByClass: [],
    series: [{ round: 3, accuracy, updateNorm: 1 }],
    noiseMultiplier: null,
    epsilon: null,
    roster: null,
    exact: true,
    stamps: ["CRYPTO-OFF"],
    wallSeconds: 1,
    cpuSeconds: 1,
    bytesUpPerDevice: 1,
    bytesDownPerDevice: 1,
  };
}

/** What a report shows of a benchmark whose cells came to this. */
function reported(bench: BenchConfig, resultFor: (cell: Cell) => CellResult, baselines: BenchResult["baselines"] = {}) {
  const cells = benchCells(bench);
  const finished: FinishedCell[] = cells.map((cell) => ({ cell, result: resultFor(cell) }));
  const plan: BenchPlan = { bench, cells, id: "bench-0", folder: "out", command: "murmur bench" };
  const facts = { parameters: 7850, testExamples: 10_000, classes: ["0"], examplesPerDevice: () => 20 };
  return privacyReportData(
    plan,
    { cells: finished, unfinished: [], baselines, facts },
    { stamp: STAMP, generatedAt: "2026-01-01T00:00:00.000Z" },
  );
}

describe("a benchmark as its report shows it", () => {
  it("has seeds of one setting together, in the order of the grid, and a stamp once", () => {
    const data = reported(smallBench(), (cell) => resultOf(cell, 0.5 + cell.seed / 10));
    expect(data.cells.map((cell) => [cell.kind, cell.seeds.map(({ seed, accuracy }) => [seed, accuracy])])).toEqual([
      [
        "private",
        [
          [1, 0.6],
          [2, 0.7],
        ],
      ],
      [
        "private",
        [
          [1, 0.6],
          [2, 0.7],
        ],
      ],
    ]);
    expect(data.stamps).toEqual(["CRYPTO-OFF"]);
    expect(data.axes).toEqual([{ name: "epsilon", values: ["8", "2"] }]);
    for (const cell of data.cells) {
      if (cell.kind === "private") expect(cell.epsilon.epsilon).toBeLessThanOrEqual(cell.epsilonTarget ?? 0);
    }
  });

  it("leaves out a run that failed, and marks one that diverged with the last accuracy that it had", () => {
    const data = reported(smallBench(), (cell) =>
      cell.key.epsilon === 2
        ? { ...resultOf(cell, 0.3), status: "diverged", accuracy: null }
        : { ...resultOf(cell, 0.5), ...(cell.seed === 1 ? { status: "failed", error: "no memory" } : {}) },
    );
    expect(
      data.cells.map(({ seeds }) => seeds.map(({ seed, diverged, accuracy }) => [seed, diverged, accuracy])),
    ).toEqual([
      [[2, false, 0.5]],
      [
        [1, true, 0.3],
        [2, true, 0.3],
      ],
    ]);
  });

  it("draws no line for chance where nobody asked for it", () => {
    expect(reported(smallBench(), (cell) => resultOf(cell, 0.5)).baselines).toEqual({});
    const chance = { accuracy: 0.1135, what: "the most frequent class" };
    expect(reported(smallBench(), (cell) => resultOf(cell, 0.5), { chance }).baselines).toEqual({ chance: 0.1135 });
  });
});

describe("a crowd", () => {
  const crowd = (mechanism: ("central" | "local")[], dropout?: number[]) =>
    smallBench({
      chart: "crowd",
      grid: { mechanism, epsilon: ["none", 2], population: [80, 20], ...(dropout === undefined ? {} : { dropout }) },
      seeds: [1],
      base: { privacy: { delta: 0.00001, clip: 0.5, sampling: 0.5 } },
    });
  const populationAccuracy = (cell: Cell): CellResult =>
    resultOf(cell, cell.key.population / 100 - (cell.key.epsilon === null ? 0 : 0.1));

  it("is a line from the smallest population to the largest, beside its own without noise", () => {
    const data = reported(crowd(["central"]), populationAccuracy);
    const lines = (data.crowd?.lines ?? []).map(({ noised, withoutNoise }) =>
      [noised, withoutNoise].map((places) =>
        places.map((place) => [data.cells[place].kind, data.cells[place].population]),
      ),
    );
    expect(lines).toEqual([
      [
        [
          ["private", 20],
          ["private", 80],
        ],
        [
          ["noiseless", 20],
          ["noiseless", 80],
        ],
      ],
    ]);
    expect(firstSentence(data)).toContain("among 20 devices, and 70.0 % among 80");
  });

  it("of local noise is compared with the run that local updates without noise are", () => {
    const data = reported(crowd(["local"]), populationAccuracy);
    expect(
      data.crowd?.lines.map(({ withoutNoise }) => withoutNoise.map((place) => data.cells[place].population)),
    ).toEqual([[20, 80]]);
  });

  it("has a line for every setting: no line goes through two cells of the same population", () => {
    const data = reported(crowd(["central"], [0, 0.1]), populationAccuracy);
    expect(data.crowd?.lines).toHaveLength(2);
    for (const { noised, withoutNoise } of data.crowd?.lines ?? []) {
      for (const places of [noised, withoutNoise]) {
        expect(places.map((place) => data.cells[place].population)).toEqual([20, 80]);
        expect(new Set(places.map((place) => data.cells[place].dropout)).size).toBe(1);
      }
    }
  });
});
