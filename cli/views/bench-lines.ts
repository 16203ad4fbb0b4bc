import { epsilonText } from "../../shared/privacy/epsilon-statement.ts";
import { median } from "../../shared/statistics/median.ts";
import type { FinishedCell } from "../../simulations/experiments/bench/bench.ts";
import type { Cell } from "../../simulations/experiments/bench/bench-grid.ts";
import type { CertifiedRun, PrivacyReportData } from "../../web/reports/privacy-report-data.ts";
import type { BenchPlan } from "../bench-plan.ts";
import { shownPath } from "../run-folders.ts";
import type { Colours } from "./colours.ts";
import { bytesText, countText, percentText, secondsText, table } from "./figures.ts";

export const MECHANISM_NAMES: Readonly<Record<Cell["key"]["mechanism"], string>> = {
  central: "central Gaussian",
  "distributed-gaussian": "distributed discrete Gaussian",
  "distributed-skellam": "distributed Skellam",
  local: "local",
  toeplitz: "correlated, square-root Toeplitz",
  banded: "correlated, banded",
};

export interface BenchProgress {
  readonly done: number;
  readonly of: number;
  /** Since the benchmark was started. */
  readonly seconds: number;
}

/** What a finished cell is worth in a log. */
export function cellLine({ cell, result }: FinishedCell, { done, of, seconds }: BenchProgress, paint: Colours): string {
  const number = `${String(done).padStart(String(of).length)}/${of}`;
  const what = `${cellText(cell)}, seed ${cell.seed}`;
  if (result.status === "failed") return paint.warning(`${number}  ${what}: failed, ${result.error ?? "no reason"}`);
  const accuracy = result.status === "diverged" ? "diverged" : percentText(result.accuracy);
  return `${number}  ${what}: ${accuracy}  ${secondsText(result.cpuSeconds)} of CPU  ${paint.dim(`${secondsText(seconds)} so far`)}`;
}

/** What a benchmark would do, for --dry-run. */
export function benchPlanLines({ bench, cells, folder }: BenchPlan, cwd: string): string[] {
  const kinds = new Map<string, number[]>();
  for (const cell of cells) {
    const text = cellText(cell);
    kinds.set(text, [...(kinds.get(text) ?? []), cell.seed]);
  }
  return [
    bench.title,
    "",
    ...table([["cell", "seeds"], ...[...kinds].map(([text, seeds]) => [text, seeds.join(", ")])]),
    "",
    `${cells.length} cells${bench.certified === undefined ? "" : `, and ${bench.certified.rounds} certified rounds`}, into ${shownPath(cwd, folder)}`,
  ];
}

interface ResultOptions {
  readonly paint: Colours;
  readonly folder: string;
  readonly failed: readonly FinishedCell[];
  readonly files: Readonly<Record<string, string>>;
}

/** A benchmark that is over, for a person: the frontier as a table, and where the report is. */
export function benchResultLines(data: PrivacyReportData, { paint, folder, failed, files }: ResultOptions): string[] {
  const { baselines, certified, stamps } = data;
  const rows = data.cells.map((cell) => {
    const accuracies = cell.seeds.map(({ accuracy }) => accuracy);
    return [
      MECHANISM_NAMES[cell.mechanism],
      cell.kind === "private" ? `ε = ${cell.epsilonTarget ?? "–"}` : "no noise",
      countText(cell.population),
      percentText(median(accuracies)),
      accuracies.length < 2
        ? "one seed"
        : `${percentText(Math.min(...accuracies))} to ${percentText(Math.max(...accuracies))}`,
      secondsText(median(cell.seeds.map(({ cpuSeconds }) => cpuSeconds))),
      bytesText(median(cell.seeds.map(({ uploadedBytesPerDevice }) => uploadedBytesPerDevice))),
    ];
  });
  const beside = [
    ...(baselines.central === undefined
      ? []
      : [`all data in one place: ${percentText(median(baselines.central.accuracies))}`]),
    ...(baselines.localOnly === undefined
      ? []
      : [`each device alone: ${percentText(median(baselines.localOnly.accuracies))}`]),
    ...(baselines.chance === undefined ? [] : [`chance: ${percentText(baselines.chance)}`]),
  ];
  const headline = data.cells.find((cell) => cell.kind === "private");
  return [
    paint.bold(data.title),
    "",
    ...table([["mechanism", "", "devices", "accuracy", "over seeds", "CPU", "up a device"], ...rows], [2, 3, 4, 5, 6]),
    ...(beside.length === 0 ? [] : ["", beside.join("  ·  ")]),
    ...(certified === undefined ? [] : [certifiedText(certified)]),
    ...(headline === undefined ? [] : ["", epsilonText(headline.epsilon)]),
    ...(stamps.length === 0 ? [] : [paint.warning(stamps.join("  "))]),
    ...failed.map(({ cell, result }) =>
      paint.warning(`failed: ${cellText(cell)}, seed ${cell.seed}: ${result.error ?? "no reason"}`),
    ),
    "",
    `report     ${folder}/${files.html}`,
    `figures    ${folder}/${files.cells}, ${files.rounds}, ${files.json}`,
    `reproduce  ${data.command}`,
  ];
}

function certifiedText({ rounds, epsilon, accuracy, exact, roster }: CertifiedRun): string {
  const sums = exact ? "every unmasked sum exact" : "NOT every unmasked sum exact";
  return `beside it: ${rounds} ${rounds === 1 ? "round" : "rounds"} in which each of ${roster} devices drew its own noise under real masks, ${sums}: ${percentText(accuracy)}; ${epsilonText(epsilon)}`;
}

function cellText({ key }: Cell): string {
  const { mechanism, epsilon, population, dropout, heterogeneity, bits } = key;
  return [
    MECHANISM_NAMES[mechanism],
    epsilon === null ? "without noise" : `ε = ${epsilon}`,
    `${countText(population)} devices`,
    ...(dropout > 0 ? [`${percentText(dropout)} lost`] : []),
    ...(heterogeneity === "own" ? [] : [heterogeneity === "iid" ? "iid" : `α = ${heterogeneity}`]),
    ...(mechanism.startsWith("distributed") ? [`${bits} bits`] : []),
  ].join(", ");
}
