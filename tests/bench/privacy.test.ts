import { beforeAll, describe, expect, it } from "vitest";
import { runPrivacyBenchmark } from "./privacy-cases.ts";
import { type BenchmarkRow, benchmarkDocument, benchmarkTable } from "./report.ts";

describe("the benchmark of privacy, in its quick form", () => {
  let rows: BenchmarkRow[];
  beforeAll(async () => {
    rows = await runPrivacyBenchmark({ quick: true });
  });

  it("has its cases, each with a figure", () => {
    const document = JSON.parse(JSON.stringify(benchmarkDocument("privacy", rows)));
    expect(document.benchmark).toBe("privacy");
    expect(rows.map((row) => row.case)).toEqual(["pld-10000", "dgauss", "ddgauss-round"]);
    for (const row of document.rows) {
      expect(row.subject_median).toBeGreaterThan(0);
      expect(row.repetitions).toBe(1);
      if (row.baseline === null) expect([row.baseline_median, row.ratio]).toEqual([null, null]);
      else expect(row.ratio).toBeCloseTo(row.subject_median / row.baseline_median, 9);
    }
    expect(rows[2].baseline).toBe("secagg-round");
  });

  it("shows every row in the table", () => {
    const lines = benchmarkTable(benchmarkDocument("privacy", rows)).split("\n");
    for (const { case: name } of rows) expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
  });

  it("refuses a case that it does not have", async () => {
    await expect(runPrivacyBenchmark({ quick: true, only: "pld-1" })).rejects.toThrow(RangeError);
  });
});
