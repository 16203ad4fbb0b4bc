import { describe, expect, it } from "vitest";
import { createLocalPool } from "../../simulations/fleet/training/training-pool.ts";
import { medianRounds, reproduceMcMahan, reproductionTable } from "./mcmahan-report.ts";
import { CNN_ROW, PAPER_ROWS } from "./mcmahan-rows.ts";
import { roundsToTarget } from "./rounds-to-target.ts";

const curve = (...accuracies: readonly number[]) => accuracies.map((accuracy, i) => ({ round: i + 1, accuracy }));

describe("rounds to a target, as the paper reads them off a curve", () => {
  it("are interpolated between two evaluations", () => {
    expect(roundsToTarget(curve(0.9, 0.96, 0.98), 0.97)).toBeCloseTo(2.5, 12);
    const sparse = [
      { round: 5, accuracy: 0.9 },
      { round: 10, accuracy: 0.95 },
      { round: 15, accuracy: 0.98 },
    ];
    expect(roundsToTarget(sparse, 0.96)).toBeCloseTo(10 + 5 / 3, 12);
  });

  it("are read off the best value so far, so that a fall moves the crossing later and never earlier", () => {
    // Level at 0.96 from round 2 to round 3, then up to 0.98.
    expect(roundsToTarget(curve(0.9, 0.96, 0.91, 0.98), 0.97)).toBeCloseTo(3.5, 12);
    expect(roundsToTarget(curve(0.9, 0.98, 0.5), 0.97)).toBeCloseTo(1.875, 12);
  });

  it("are those of the evaluation that hits it, of the first one, or none", () => {
    expect(roundsToTarget(curve(0.9, 0.97), 0.97)).toBeCloseTo(2, 12);
    expect(roundsToTarget(curve(0.98), 0.97)).toBe(1);
    expect(roundsToTarget(curve(0.9, 0.9699), 0.97)).toBeUndefined();
    expect(roundsToTarget([], 0.97)).toBeUndefined();
  });
});

describe("the reproduction of McMahan et al., in its quick form", () => {
  it("trains a row of the paper well above nine out of ten in six rounds, and shows it beside the paper's", async () => {
    const said: string[] = [];
    const rows = await reproduceMcMahan({
      quick: true,
      cnn: false,
      long: false,
      rows: [],
      seeds: 3,
      createPool: createLocalPool,
      onProgress: (what) => said.push(what),
    });
    expect(rows).toEqual([
      {
        row: expect.objectContaining({ name: "iid-c0.1-e1", paper: 87 }),
        rounds: [null],
        median: null,
        best: [expect.any(Number)],
      },
    ]);
    expect(rows[0].best[0]).toBeGreaterThan(0.915);
    expect(rows[0].best[0]).toBeLessThan(0.97);
    expect(said).toEqual([
      expect.stringMatching(/^iid-c0\.1-e1, η = [\d.]+, seed 1: not in 6 rounds, best 9\d\.\d\d %$/),
    ]);
    const lines = reproductionTable(rows).split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[3]).toMatch(/^Table 1 +2nn +iid +0\.1 +1 +[\d.]+ +97\.00 % +87 +– +– +9\d\.\d\d %$/);
  });

  it("refuses a row that there is not", async () => {
    const none = { quick: true, cnn: false, long: false, seeds: 1, createPool: createLocalPool, onProgress: () => {} };
    await expect(reproduceMcMahan({ ...none, rows: ["iid-c7"] })).rejects.toThrow(RangeError);
  });

  it("takes the median over all seeds: one that did not reach the target counts as later than any that did", () => {
    expect(medianRounds([12.25, null, 14])).toBe(14);
    expect(medianRounds([12, 13, 20])).toBe(13);
    expect(medianRounds([null, 12, null])).toBeNull();
  });

  it("has every row of the paper's under a name of its own", () => {
    const names = [...PAPER_ROWS, CNN_ROW].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
