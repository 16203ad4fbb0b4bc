import { describe, expect, it } from "vitest";
import { runPrivacyBenchmark } from "./privacy-cases.ts";
import { benchmarkDocument, benchmarkTable } from "./report.ts";

describe("the benchmark of privacy, in its quick form", () => {
  const rows = runPrivacyBenchmark({ quick: true });
  const document = JSON.parse(JSON.stringify(benchmarkDocument("privacy", rows)));

  it("prints absolute figures", () => {
    expect(document.benchmark).toBe("privacy");
    expect(rows.map((row) => row.case)).toContain("pld-10000");
    for (const row of document.rows) {
      expect(row).toEqual({
        case: expect.any(String),
        subject: expect.any(String),
        baseline: null,
        unit: expect.any(String),
        subject_median: expect.any(Number),
        baseline_median: null,
        ratio: null,
        repetitions: 1,
      });
      expect(row.subject_median).toBeGreaterThan(0);
    }
  });

  it("shows every row in the table", () => {
    const lines = benchmarkTable(document).split("\n");
    for (const { case: name } of rows) expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
  });

  it("refuses a case that it does not have", () => {
    expect(() => runPrivacyBenchmark({ quick: true, only: "pld-1" })).toThrow(RangeError);
  });
});
