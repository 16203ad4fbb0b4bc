import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseBenchConfig, quickBench } from "../../../../simulations/experiments/bench/bench-config.ts";
import { benchCells, certifiedCell } from "../../../../simulations/experiments/bench/bench-grid.ts";
import { privacyPlan } from "../../../../simulations/experiments/privacy/privacy-plan.ts";
import { smallBench } from "./small-bench.ts";

const example = (name: string) =>
  parseBenchConfig(parse(readFileSync(new URL(`../../../../examples/${name}`, import.meta.url), "utf8")));

describe("the cells of a grid", () => {
  it("are every combination times seeds", () => {
    const cells = benchCells(smallBench({ grid: { mechanism: ["central"], epsilon: [8, 2], population: [40, 80] } }));
    expect(cells.map(({ key: { epsilon, population }, seed }) => [epsilon, population, seed])).toEqual([
      [8, 40, 1],
      [8, 40, 2],
      [8, 80, 1],
      [8, 80, 2],
      [2, 40, 1],
      [2, 40, 2],
      [2, 80, 1],
      [2, 80, 2],
    ]);
    expect(cells.map(({ config }) => config.fleet.devices)).toEqual([40, 40, 80, 80, 40, 40, 80, 80]);
  });

  it("have names that are their configuration's: of the same benchmark the same, of another seed or target others", () => {
    const names = (bench = smallBench()) => benchCells(bench).map(({ id }) => id);
    expect(names()).toEqual(names());
    expect(new Set([...names(), ...names(smallBench({ seeds: [3, 4] }))]).size).toBe(2 * names().length);
  });

  it("keep the share of devices in a round when there are more devices", () => {
    const bench = smallBench({ grid: { mechanism: ["central"], epsilon: [8], population: [40, 200] } });
    expect(benchCells(bench).map(({ config }) => config.privacy?.sampling)).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(benchCells(bench).map(({ config }) => config.round.cohort)).toEqual([20, 20, 100, 100]);
  });

  it("are changed by overrides where these match, and nowhere else", () => {
    const bench = smallBench({
      grid: { mechanism: ["central"], epsilon: [8, 1] },
      overrides: [{ when: { epsilon: 1 }, set: { algorithm: { serverLr: 0.5 }, train: { lr: 0.05 } } }],
      seeds: [1],
    });
    const rates = benchCells(bench).map(({ config: { algorithm, train } }) => [
      "serverLr" in algorithm ? algorithm.serverLr : undefined,
      train.lr,
      train.batch,
    ]);
    expect(rates).toEqual([
      [1, 0.1, 10],
      [0.5, 0.05, 10],
    ]);
  });

  it("draw noise from the same target whatever the seed, and more of it for a smaller one", () => {
    const multipliers = benchCells(smallBench({ grid: { mechanism: ["central"], epsilon: [8, 2] } })).map(
      ({ config }) => privacyPlan(config)?.noiseMultiplier ?? 0,
    );
    expect(multipliers[0]).toBe(multipliers[1]);
    expect(multipliers[2]).toBeGreaterThan(multipliers[0]);
  });

  it("that cannot be run are named before any is run", () => {
    const bench = smallBench({ base: { round: { count: 3, overSelection: 1.5, evaluateEvery: 1 } } });
    expect(() => benchCells(bench)).toThrow(/^The cell "central ε = 8, 40 devices, seed 1": /);
  });
});

describe("the examples", () => {
  it("privacy-frontier.yaml is the grid that the README speaks of", () => {
    const bench = example("privacy-frontier.yaml");
    const cells = benchCells(bench);
    // Without noise, local updates are central ones.
    expect(cells).toHaveLength(3 * (5 + 5 + 4));
    expect(new Set(cells.map(({ id }) => id)).size).toBe(cells.length);
    for (const { config } of cells) {
      expect([config.fleet.devices, config.round.count, config.privacy?.sampling]).toEqual([1000, 100, 0.1]);
    }
    const certified = certifiedCell(bench);
    expect(certified?.config.secagg.fidelity).toBe("real");
    expect([certified?.config.round.count, certified?.config.privacy?.rounds]).toEqual([3, 100]);
    const quick = quickBench(bench);
    expect(benchCells(quick)).toHaveLength(3 + 3 + 2);
    expect(certifiedCell(quick)?.config.round.count).toBe(1);
  });

  it("privacy-crowd.yaml has a line without noise for every crowd", () => {
    const cells = benchCells(example("privacy-crowd.yaml"));
    const crowds = (target: number | null) =>
      cells.filter(({ key }) => key.epsilon === target).map(({ key, seed }) => [key.population, seed]);
    expect(crowds(2)).toEqual(crowds(null));
    expect(new Set(cells.map(({ key }) => key.population))).toEqual(new Set([20, 100, 500, 2000]));
  });
});
