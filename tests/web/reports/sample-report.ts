import type { EpsilonStatement } from "../../../shared/privacy/epsilon-statement.ts";
import type {
  NoiselessCell,
  PrivacyReportData,
  PrivateCell,
  SeedResult,
} from "../../../web/reports/privacy-report-data.ts";

/** A report's data around some cells. */
export function sampleReport(over: Partial<PrivacyReportData> & Pick<PrivacyReportData, "cells">): PrivacyReportData {
  return {
    schema: "murmuration/privacy-report/1",
    title: "Privacy against accuracy",
    generatedAt: "2026-01-01T00:00:00.000Z",
    commit: "0123456789abcdef",
    machine: { cpu: "A processor", cores: 2, node: "20.19.0", os: "an operating system" },
    stamps: ["INSECURE-DETERMINISTIC", "NOISE-AGGREGATE"],
    command: "murmur bench bench.yaml",
    chart: "frontier",
    task: {
      dataset: "MNIST",
      model: "2nn",
      parameters: 199_210,
      rounds: 30,
      clip: "0.5",
      training: "1 epoch, batch 10, sgd at 0.1",
      tuning: "on public data",
      testExamples: 10_000,
      classes: [..."0123456789"],
    },
    axes: [{ name: "epsilon", values: ["none", "8", "2"] }],
    baselines: {
      central: { accuracies: [0.98], what: "60,000 examples" },
      localOnly: { accuracies: [0.66], what: "20 devices" },
      chance: 0.1135,
    },
    ...over,
  };
}

export function noiseless(accuracies: readonly number[], over: Partial<NoiselessCell> = {}): NoiselessCell {
  return { kind: "noiseless", ...setting(accuracies), ...over };
}

export function guaranteed(
  epsilonTarget: number,
  accuracies: readonly number[],
  over: Partial<PrivateCell> = {},
): PrivateCell {
  return {
    kind: "private",
    ...setting(accuracies),
    epsilonTarget,
    epsilon: statement(epsilonTarget),
    noiseMultiplier: 4 / epsilonTarget,
    ...over,
  };
}

function setting(accuracies: readonly number[]) {
  return {
    mechanism: "central",
    population: 1000,
    perDevice: 60,
    cohort: 100,
    samplingRate: 0.1,
    bits: null,
    dropout: 0,
    heterogeneity: "iid",
    seeds: accuracies.map((accuracy, i) => seedResult(accuracy, { seed: i + 1 })),
  } as const;
}

export function seedResult(accuracy: number, over: Partial<SeedResult> = {}): SeedResult {
  return {
    seed: 1,
    accuracy,
    diverged: false,
    byRound: [10, 20, 30].map((round, i) => ({
      round,
      accuracy: accuracy - (2 - i) / 50,
      updateNorm: 1 / (round + 1),
    })),
    byClass: Array.from({ length: 10 }, (_, label) => accuracy - label / 100),
    cpuSeconds: 12.5,
    wallSeconds: 7.25,
    uploadedBytesPerDevice: 598_000,
    downloadedBytesPerDevice: 797_000,
    ...over,
  };
}

/** Of a run that was lost in the noise. */
export function divergedSeed(over: Partial<SeedResult> = {}): SeedResult {
  return seedResult(0.098, {
    diverged: true,
    byRound: [{ round: 10, accuracy: 0.098, updateNorm: 40 }],
    byClass: [],
    ...over,
  });
}

export function statement(epsilon: number): EpsilonStatement {
  return {
    epsilon,
    delta: 1e-5,
    unit: "device",
    adjacency: "add-or-remove-one",
    sampling: { kind: "poisson", rate: 0.1, rounds: 30 },
    accountant: "rdp",
    unamplified: { epsilon: 5 * epsilon, participations: 30, enforced: false },
    simulation: true,
  };
}
