import { execFileSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";

/** One line of a benchmark: a subject, and beside it the baseline that was measured alternating with it. */
export interface BenchmarkRow {
  /** The case's name, which stays. */
  readonly case: string;
  readonly subject: string;
  /** Null for an absolute figure. */
  readonly baseline: string | null;
  /** Of both medians. */
  readonly unit: string;
  readonly subject_median: number;
  readonly baseline_median: number | null;
  /** Subject over baseline. */
  readonly ratio: number | null;
  readonly repetitions: number;
  /** "not measured" where a baseline is named that was not to be had. */
  readonly note?: string;
  /** Why it was not to be had. */
  readonly reason?: string;
}

export interface BenchmarkDocument {
  readonly benchmark: string;
  /** The commit that was measured, or null outside a work tree. */
  readonly commit: string | null;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly rows: readonly BenchmarkRow[];
}

export function benchmarkDocument(benchmark: string, rows: readonly BenchmarkRow[]): BenchmarkDocument {
  const cpu = cpus()[0]?.model ?? "unknown";
  return {
    benchmark,
    commit: currentCommit(),
    machine: { cpu, cores: availableParallelism(), node: process.version },
    rows,
  };
}

/** The rows for people. */
export function benchmarkTable({ benchmark, commit, machine, rows }: BenchmarkDocument): string {
  const cells = rows.map((row) => [
    row.case,
    figure(row.subject_median),
    row.baseline === null ? "" : `${row.baseline} ${row.note ?? figure(row.baseline_median)}`,
    row.unit,
    row.ratio === null ? "" : row.ratio.toFixed(2),
    String(row.repetitions),
  ]);
  const table = [["case", "median", "baseline", "unit", "ratio", "repetitions"], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const isText = (column: number) => column === 0 || column === 3;
  const lines = table.map((row) =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
  const head = `${benchmark} at ${commit?.slice(0, 12) ?? "no commit"}: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`;
  return [head, "", ...lines].join("\n");
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function figure(value: number | null): string {
  if (value === null) return "";
  return Number.isInteger(value) ? value.toLocaleString("en-US") : value.toFixed(value < 10 ? 2 : 1);
}

function currentCommit(): string | null {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
