import { describe, expect, it } from "vitest";
import { benchmarkDocument, benchmarkTable } from "./report.ts";
import { runSecAggBenchmark } from "./secagg-cases.ts";

describe("the benchmark of secure aggregation, in its quick form", () => {
  // It compares each sum with the plain one, and each of the device's frames with the recorded one, and throws.
  const rows = runSecAggBenchmark({ quick: true });
  const document = JSON.parse(JSON.stringify(benchmarkDocument("secagg", rows)));

  it("prints the document that every benchmark prints", () => {
    expect(document).toEqual({
      benchmark: "secagg",
      commit: expect.toSatisfy((commit) => commit === null || /^[0-9a-f]{40}$/.test(commit)),
      machine: { cpu: expect.any(String), cores: expect.any(Number), node: process.version },
      rows: expect.any(Array),
    });
    for (const row of document.rows) {
      expect(row).toEqual({
        case: expect.stringMatching(/^(device|server)-n16-d1e[45](-drop(0|10))?$/),
        subject: expect.stringMatching(/^(device|coordinator)$/),
        baseline: "limit",
        unit: "ms CPU",
        subject_median: expect.any(Number),
        baseline_median: expect.any(Number),
        ratio: row.subject_median / row.baseline_median,
        repetitions: expect.any(Number),
      });
    }
  });

  it("measures the device and the coordinator, with and without drop-outs", () => {
    expect(rows.map((row) => row.case)).toEqual([
      "device-n16-d1e4",
      "server-n16-d1e4-drop0",
      "server-n16-d1e4-drop10",
      "device-n16-d1e5",
      "server-n16-d1e5-drop0",
      "server-n16-d1e5-drop10",
    ]);
  });

  it("shows every row in the table", () => {
    const lines = benchmarkTable(document).split("\n");
    for (const { case: name } of rows) expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
  });

  it("refuses a case that it does not have", () => {
    expect(() => runSecAggBenchmark({ quick: true, only: "device-n17-d1e4" })).toThrow(RangeError);
  });
});
