import { basename } from "node:path";
import type { AuditedBuild } from "../simulations/attacks/canary.ts";
import { datasetTitle } from "../simulations/datasets/reference.ts";
import type { BenchResult, FinishedCell } from "../simulations/experiments/bench/bench.ts";
import type { Cell } from "../simulations/experiments/bench/bench-grid.ts";
import { privacyPlan } from "../simulations/experiments/privacy/privacy-plan.ts";
import { epsilonStatement } from "../simulations/experiments/privacy/privacy-statement.ts";
import type { RunStamp } from "../simulations/experiments/run-stamp.ts";
import { withoutNoise } from "../web/reports/cell-name.ts";
import type {
  CertifiedRun,
  PrivacyReportData,
  ReportBaselines,
  ReportCell,
  ReportedAudit,
  SeedResult,
} from "../web/reports/privacy-report-data.ts";
import type { BenchPlan } from "./bench-plan.ts";

export interface ReportSurroundings {
  readonly stamp: RunStamp;
  /** ISO 8601. */
  readonly generatedAt: string;
  /** What audits of the certified run's noise found; absent: there were none. */
  readonly audited?: readonly AuditedBuild[];
}

/** A benchmark as its report shows it: seeds of the same setting together. */
export function privacyReportData(
  { bench, command }: BenchPlan,
  { cells, certified, baselines, facts }: BenchResult,
  { stamp, generatedAt, audited }: ReportSurroundings,
): PrivacyReportData {
  const groups = grouped(cells.filter(({ result }) => result.status !== "failed"));
  const reported = groups.map((group) => reportCell(group, facts.examplesPerDevice));
  const [first] = groups;
  const { config, key } = first[0].cell;
  const stamps = new Set(
    [...cells, ...(certified === undefined ? [] : [certified])].flatMap(({ result }) => result.stamps),
  );
  const { epochs, batch, lr, optimizer } = config.train;
  const clip = config.privacy?.clip;
  return {
    schema: "murmuration/privacy-report/1",
    title: bench.title,
    generatedAt,
    commit: stamp.git?.commit ?? null,
    machine: { cpu: stamp.cpu, cores: stamp.cores, node: stamp.node, os: stamp.os },
    stamps: [...stamps],
    command,
    chart: bench.chart,
    task: {
      dataset: datasetTitle(config.task.dataset),
      model: basename(config.task.model),
      parameters: facts.parameters,
      rounds: key.rounds,
      clip: typeof clip === "number" ? String(clip) : "adaptive, from a quantile of the norms",
      training: `${epochs} ${epochs === 1 ? "epoch" : "epochs"}, batch ${batch}, ${optimizer.kind} at ${lr}`,
      tuning: bench.tuning,
      testExamples: facts.testExamples,
      classes: facts.classes,
    },
    axes: axesOf(cells.map(({ cell }) => cell)),
    cells: reported,
    baselines: reportedBaselines(baselines),
    ...(audited === undefined ? {} : { audits: audited.map(reportedAudit) }),
    ...(bench.chart === "crowd" ? { crowd: { lines: crowdLines(reported) } } : {}),
    ...(certified === undefined || certified.result.status !== "done" ? {} : { certified: certifiedRun(certified) }),
  };
}

/** The better of the two lower bounds, each of which is wrong with a small chance of its own. */
function reportedAudit({ name, verdicts }: AuditedBuild): ReportedAudit {
  const [{ gaussian, oneRun, claimed, delta }] = verdicts;
  return {
    name,
    lowerBound: Math.max(gaussian, oneRun),
    upperBound: claimed,
    epsilon: {
      epsilon: claimed,
      delta,
      unit: "device",
      adjacency: "zero-out",
      sampling: { kind: "none" },
      accountant: "analytic-gaussian",
      unamplified: { epsilon: claimed, participations: 1, enforced: false },
      simulation: true,
    },
  };
}

/** Cells that differ in nothing but the seed, in the grid's order. */
function grouped(cells: readonly FinishedCell[]): FinishedCell[][] {
  const groups = new Map<string, FinishedCell[]>();
  for (const finished of cells) {
    const name = JSON.stringify(finished.cell.key);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [finished]);
    else group.push(finished);
  }
  return [...groups.values()];
}

function reportCell(
  group: readonly FinishedCell[],
  examplesPerDevice: BenchResult["facts"]["examplesPerDevice"],
): ReportCell {
  const { cell } = group[0];
  const { mechanism, epsilon, population, sampling, bits, dropout, heterogeneity } = cell.key;
  const isDistributed = mechanism.startsWith("distributed");
  const setting = {
    mechanism,
    population,
    perDevice: examplesPerDevice(cell),
    cohort: sampling * population,
    samplingRate: sampling,
    bits: isDistributed ? bits : null,
    dropout,
    heterogeneity: heterogeneity === "own" ? cell.config.task.partition.kind : heterogeneity,
    seeds: group.map(seedResult),
  };
  const plan = privacyPlan(cell.config);
  if (epsilon === null || plan === undefined) return { kind: "noiseless", ...setting };
  return {
    kind: "private",
    ...setting,
    epsilonTarget: epsilon,
    epsilon: epsilonStatement(plan),
    noiseMultiplier: plan.noiseMultiplier,
    ...(isDistributed ? { distributed: { roster: plan.roster, leastSurvivors: plan.leastSurvivors } } : {}),
  };
}

function seedResult({ cell, result }: FinishedCell): SeedResult {
  const diverged = result.status === "diverged";
  return {
    seed: cell.seed,
    accuracy: result.accuracy ?? result.series.at(-1)?.accuracy ?? 0,
    diverged,
    byRound: result.series,
    byClass: result.accuracyByClass,
    cpuSeconds: result.cpuSeconds,
    wallSeconds: result.wallSeconds,
    uploadedBytesPerDevice: result.bytesUpPerDevice,
    downloadedBytesPerDevice: result.bytesDownPerDevice,
  };
}

function reportedBaselines({ central, localOnly, chance }: BenchResult["baselines"]): ReportBaselines {
  return {
    ...(central === undefined ? {} : { central: { accuracies: [central.accuracy], what: central.what } }),
    ...(localOnly === undefined ? {} : { localOnly: { accuracies: [localOnly.accuracy], what: localOnly.what } }),
    ...(chance === undefined ? {} : { chance: chance.accuracy }),
  };
}

/** What takes more than one value. */
function axesOf(cells: readonly Cell[]): PrivacyReportData["axes"] {
  const names = ["mechanism", "epsilon", "population", "sampling", "dropout", "heterogeneity", "bits"] as const;
  return names
    .map((name) => ({ name, values: [...new Set(cells.map(({ key }) => String(key[name] ?? "none")))] }))
    .filter(({ values }) => values.length > 1);
}

/** One curve for every setting but the number of devices, through the populations. */
function crowdLines(cells: readonly ReportCell[]): NonNullable<PrivacyReportData["crowd"]>["lines"] {
  const places = cells.map((_, place) => place).sort((a, b) => cells[a].population - cells[b].population);
  const curves = new Map<string, number[]>();
  for (const place of places) {
    const cell = cells[place];
    if (cell.kind !== "private") continue;
    const { mechanism, epsilonTarget, samplingRate, bits, dropout, heterogeneity } = cell;
    const name = JSON.stringify([mechanism, epsilonTarget, samplingRate, bits, dropout, heterogeneity]);
    curves.set(name, [...(curves.get(name) ?? []), place]);
  }
  return [...curves.values()].map((noised) => ({
    noised,
    withoutNoise: noised.flatMap((place) => {
      const without = withoutNoise(cells[place], cells);
      return without === undefined ? [] : [cells.indexOf(without)];
    }),
  }));
}

function certifiedRun({ cell, result }: FinishedCell): CertifiedRun {
  const plan = privacyPlan(cell.config);
  if (plan === undefined) throw new Error("a certified run has a privacy section");
  return {
    mechanism: cell.key.mechanism,
    rounds: cell.key.rounds,
    epsilon: epsilonStatement(plan, cell.key.rounds),
    accuracy: result.accuracy ?? 0,
    exact: result.exact === true,
    roster: plan.roster,
    uploadedBytesPerDevice: result.bytesUpPerDevice,
    cpuSeconds: result.cpuSeconds,
  };
}
