import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { BINARY, ensureBuilt } from "../cli/built-binary.ts";
import { type FleetCases, runFleetBenchmark } from "./fleet-cases.ts";
import { FLEET_MODEL_CASES } from "./fleet-model-cases.ts";
import { fleetRoundCases } from "./fleet-round-cases.ts";
import { type BenchmarkRow, benchmarkDocument, benchmarkTable } from "./report.ts";

describe("the benchmark of the fleet, in its quick form", async () => {
  const rows = await runFleetBenchmark([FLEET_MODEL_CASES], { quick: true });
  const document = JSON.parse(JSON.stringify(benchmarkDocument("fleet", rows)));

  it("measures the clock, eligibility and an idle device, as absolute figures", () => {
    expect(document.rows).toEqual(
      ["clock-1e4", "eligibility-1e4", "idle-device"].map((name) => ({
        case: name,
        subject: expect.any(String),
        baseline: null,
        unit: expect.any(String),
        subject_median: expect.any(Number),
        baseline_median: null,
        ratio: null,
        repetitions: expect.any(Number),
      })),
    );
    const lines = benchmarkTable(document).split("\n");
    for (const { case: name } of rows) expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
  });

  it("finds at most 64 bytes for each idle device", () => {
    // Bytes, not a timing: 28, but for the runtime's own objects, which come and go: a byte or two for each of 10^5 devices.
    const [, , idle] = rows;
    expect(idle.subject_median).toBeGreaterThanOrEqual(28 - 6);
    expect(idle.subject_median).toBeLessThanOrEqual(64);
  });

  it("has the names of the full form", () => {
    expect(FLEET_MODEL_CASES.names(false)).toEqual(["clock-1e6", "eligibility-1e6", "idle-device"]);
  });
});

describe("the benchmark of simulated rounds, in its quick form", { timeout: 240_000 }, () => {
  const program = pathToFileURL(join(dirname(BINARY), "..", "simulations", "fleet", "training", "training-worker.js"));
  const cases = fleetRoundCases(program);
  let rows: readonly BenchmarkRow[];
  beforeAll(async () => {
    ensureBuilt();
    rows = await runFleetBenchmark([cases], { quick: true });
  }, 240_000);

  it("has a row for each case, beside its baseline", () => {
    const measured = expect.any(Number);
    const compared = (name: string, subject: string, baseline: string, unit: string) => {
      const row = rows.find((each) => each.case === name);
      const figures = { subject_median: measured, baseline_median: measured, repetitions: 1 };
      expect(row).toEqual({ case: name, subject, baseline, unit, ...figures, ratio: measured });
      expect(row?.ratio).toBeCloseTo((row?.subject_median ?? 0) / (row?.baseline_median ?? 0), 12);
      expect(row?.subject_median).toBeGreaterThan(0);
    };
    // Of the bare loops it is checked that their devices' mean is the round's model.
    compared("round-2nn", "simulator", "bare-loop", "CPU s/round");
    compared("round-cnn", "simulator", "bare-loop", "CPU s/round");
    compared("workers2-2nn", "workers2", "workers1", "rounds/s");
    compared("workers2-cnn", "workers2", "workers1", "rounds/s");
    compared("devices-100000", "devices-100000", "devices-100", "CPU s/round");
    expect(rows.map((row) => row.case)).toEqual(cases.names(true));
  });

  it("finds what a run has in memory at most", () => {
    const peak = rows.find((row) => row.case === "memory-2nn");
    expect(peak).toMatchObject({ baseline: null, unit: "MB", ratio: null });
    // The runtime alone takes 40.
    expect(peak?.subject_median).toBeGreaterThan(100);
    expect(peak?.subject_median).toBeLessThan(2_000);
  });
});

describe("a benchmark of several lists of cases", () => {
  const measured: string[] = [];
  const list = (...names: string[]): FleetCases => ({
    names: () => names,
    measure({ wants }) {
      const wanted = names.filter(wants);
      measured.push(...wanted);
      return names.map((name) => ({ ...ROW, case: name }));
    },
  });
  const lists = [list("a", "b"), list("c")];

  it("measures what is wanted, and shows nothing else", async () => {
    const rows = await runFleetBenchmark(lists, { quick: false, only: "b" });
    expect(rows.map((row) => row.case)).toEqual(["b"]);
    expect(measured).toEqual(["b"]);
  });

  it("refuses a case that it does not have", async () => {
    await expect(runFleetBenchmark(lists, { quick: true, only: "d" })).rejects.toThrow(/"d" in the quick form/);
  });
});

const ROW = {
  subject: "s",
  baseline: null,
  unit: "u",
  subject_median: 1,
  baseline_median: null,
  ratio: null,
  repetitions: 1,
};
