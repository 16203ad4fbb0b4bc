import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockRun } from "../server/store/lock.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { auditBuilds } from "../simulations/attacks/canary.ts";
import { type BenchResult, runBench } from "../simulations/experiments/bench/bench.ts";
import {
  cellsCsv,
  renderPrivacyReportHtml,
  renderPrivacyReportMarkdown,
  roundsCsv,
} from "../web/reports/privacy-report.tsx";
import type { BenchPlan } from "./bench-plan.ts";
import { privacyReportData } from "./bench-report-data.ts";
import type { Signal } from "./edge.ts";
import type { Invocation } from "./invocation.ts";
import { countFlag } from "./number-flags.ts";
import { shownPath } from "./run-folders.ts";
import { takeStamp } from "./stamp.ts";
import { benchResultLines, cellLine } from "./views/bench-lines.ts";

/** What a benchmark leaves in its folder, beside the results of its cells. */
export const BENCH_FILES = {
  html: "report.html",
  markdown: "report.md",
  cells: "cells.csv",
  rounds: "rounds.csv",
  json: "bench.json",
} as const;

/** Runs a benchmark to its end, or until it is told to stop, and writes its report. */
export async function carryOutBench(invocation: Invocation, plan: BenchPlan, workers: unknown): Promise<void> {
  const { edge } = invocation;
  const { bench, folder } = plan;
  const processes = countFlag("--workers", workers === undefined ? undefined : String(workers), edge.cores, 64);
  const shown = shownPath(edge.cwd, folder);
  makeFolder(folder, shown);
  const lock = lockRun(folder);
  const stopped = new AbortController();
  let signal: Signal | undefined;
  const restore = edge.onSignal((received) => {
    signal ??= received;
    stopped.abort();
  });
  const stamp = takeStamp(edge);
  const startedAt = edge.clock();
  try {
    const result = await runBench({
      bench,
      folder,
      processes,
      stamp,
      stopped: stopped.signal,
      onCell: (finished, done, of) =>
        invocation.note(
          cellLine(finished, { done, of, seconds: (edge.clock() - startedAt) / 1000 }, invocation.paint.stderr),
        ),
    });
    if (stopped.signal.aborted) {
      invocation.note(
        `stopped: ${result.cells.length} of ${result.cells.length + result.unfinished.length} cells are kept in ${shown}; the same command goes on with the rest`,
      );
      invocation.endWith(signal === "SIGTERM" ? 143 : 130);
      return;
    }
    const failed = result.cells.filter(({ result: { status } }) => status === "failed");
    if (failed.length === result.cells.length) throw everyCellFailed(failed);
    if (failed.length > 0) invocation.endWith(5);
    const data = privacyReportData(plan, result, {
      stamp,
      generatedAt: new Date(edge.clock()).toISOString(),
      ...(result.certified?.cell.key.mechanism === "distributed-gaussian"
        ? { audited: auditBuilds(result.certified.cell.config, { seed: bench.seeds[0], audits: 1 }) }
        : {}),
    });
    writeReport(folder, data, plan, result);
    invocation.result({ ok: failed.length === 0, folder: shown, ...data }, (paint) =>
      benchResultLines(data, { paint, folder: shown, failed, files: BENCH_FILES }).join("\n"),
    );
  } finally {
    restore();
    lock.release();
  }
}

function everyCellFailed(failed: BenchResult["cells"]): MurmurError {
  const [first] = failed;
  return new MurmurError("bench-failed", `No cell of the benchmark could be run; the first: ${first.result.error}`);
}

function makeFolder(folder: string, shown: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new MurmurError("environment", `${shown} cannot be written: ${(cause as Error).message}.`, {
      cause,
      hint: "Choose another folder with --out.",
    });
  }
}

function writeReport(
  folder: string,
  data: ReturnType<typeof privacyReportData>,
  plan: BenchPlan,
  { cells, certified }: BenchResult,
): void {
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const results = [...cells, ...(certified === undefined ? [] : [certified])].map(({ cell, result }) => ({
    ...cell.key,
    seed: cell.seed,
    ...result,
  }));
  write(BENCH_FILES.json, `${JSON.stringify({ ...data, bench: plan.bench, results }, null, 2)}\n`);
  write(BENCH_FILES.cells, cellsCsv(data));
  write(BENCH_FILES.rounds, roundsCsv(data));
  write(BENCH_FILES.markdown, renderPrivacyReportMarkdown(data));
  write(BENCH_FILES.html, renderPrivacyReportHtml(data));
}
