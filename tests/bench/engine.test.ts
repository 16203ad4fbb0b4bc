import { beforeAll, describe, expect, it } from "vitest";
import { runEngineBenchmark } from "./engine-cases.ts";
import { type BenchmarkRow, benchmarkDocument, benchmarkTable } from "./report.ts";

const CASES = ["2nn-b10", "2nn-b32", "cnn-b10", "cnn-b32"];
const BASELINES = ["torch", "torch-channels-last", "torch-manual", "tfjs-wasm", "tfjs-cpu"];

describe("the benchmark of the training engine, in its quick form", () => {
  let rows: readonly BenchmarkRow[];
  const said: string[] = [];
  // It compares the update of every baseline with the subject's, and throws.
  beforeAll(async () => {
    const python = process.env.PYTHON ?? "/usr/bin/python3";
    rows = await runEngineBenchmark({ quick: true, python, onBaseline: (what) => said.push(what) });
  });

  it("has a row for every case and baseline, measured or with the reason why not", () => {
    const names = rows.map((row) => [row.case, row.baseline]);
    expect(names).toEqual(
      CASES.flatMap((name) =>
        BASELINES.filter((baseline) => baseline !== "torch-channels-last" || name.startsWith("cnn")).map((baseline) => [
          name,
          baseline,
        ]),
      ),
    );
    for (const row of JSON.parse(JSON.stringify(benchmarkDocument("engine", rows))).rows) {
      const measured = {
        baseline_median: expect.any(Number),
        ratio: row.subject_median / row.baseline_median,
      };
      const missing = { baseline_median: null, ratio: null, note: "not measured", reason: expect.any(String) };
      expect(row).toEqual({
        case: row.case,
        subject: "onnx",
        baseline: row.baseline,
        unit: "samples/CPU s",
        subject_median: expect.any(Number),
        repetitions: expect.any(Number),
        ...(row.note === undefined ? measured : missing),
      });
    }
  });

  it("measures tfjs, which is always there, and shows every row in the table", () => {
    expect(rows.filter(({ baseline, ratio }) => baseline === "tfjs-cpu" && ratio !== null)).toHaveLength(2);
    const lines = benchmarkTable(benchmarkDocument("engine", rows)).split("\n");
    for (const name of CASES) {
      const shown = lines.filter((line) => line.startsWith(`${name} `));
      expect(shown).toHaveLength(rows.filter((row) => row.case === name).length);
    }
  });

  it("says on which BLAS PyTorch ran, or why it was not measured", () => {
    expect(said).toEqual([expect.stringMatching(/^(PyTorch .*OpenBLAS.*kernels for|torch: not measured: )/)]);
  });
});

describe("without PyTorch", () => {
  it.each([
    ["no Python", "/nowhere/python3", /does not start/],
    ["a Python without it", "/bin/false", /ended/],
  ])("(%s) its rows say that it was not measured, and the subject is", async (_, python, reason) => {
    const said: string[] = [];
    const options = { quick: true, only: "2nn-b10", baseline: "torch", python };
    const rows = await runEngineBenchmark({ ...options, onBaseline: (what) => said.push(what) });
    expect(rows).toEqual([
      expect.objectContaining({
        subject_median: expect.any(Number),
        baseline_median: null,
        ratio: null,
        note: "not measured",
        reason: expect.stringMatching(reason),
      }),
    ]);
    expect(said[0]).toMatch(reason);
  });
});

it("refuses a case and a baseline that it does not have", async () => {
  const options = { quick: true, python: "/nowhere/python3", onBaseline: () => {} };
  await expect(runEngineBenchmark({ ...options, only: "2nn-b11" })).rejects.toThrow(RangeError);
  await expect(runEngineBenchmark({ ...options, baseline: "jax" })).rejects.toThrow(RangeError);
});
