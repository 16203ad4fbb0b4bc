import type { EpsilonStatement } from "../../shared/privacy/epsilon-statement.ts";

/** What a benchmark of privacy against accuracy came to: all that its report shows, and nothing that it computes. */
export interface PrivacyReportData {
  readonly schema: "murmuration/privacy-report/1";
  readonly title: string;
  /** ISO 8601, UTC. */
  readonly generatedAt: string;
  /** Of the code; null outside a work tree. */
  readonly commit: string | null;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string; readonly os: string };
  /** Warnings that stand on everything, such as NOISE-AGGREGATE. */
  readonly stamps: readonly string[];
  /** What reproduces it. */
  readonly command: string;
  /** What accuracy is drawn against: ε, or the number of devices. */
  readonly chart: "frontier" | "crowd";
  readonly task: ReportedTask;
  /** What varies between cells. */
  readonly axes: readonly { readonly name: string; readonly values: readonly string[] }[];
  /** The first one's setting is the headline's. */
  readonly cells: readonly ReportCell[];
  readonly baselines: ReportBaselines;
  readonly crowd?: {
    /** Places in `cells`: a curve, and its own line without noise, from the smallest population to the largest. */
    readonly lines: readonly { readonly noised: readonly number[]; readonly withoutNoise: readonly number[] }[];
  };
  readonly certified?: CertifiedRun;
  readonly audits?: readonly ReportedAudit[];
  readonly attacks?: readonly ReportedAttack[];
}

export interface ReportedTask {
  readonly dataset: string;
  readonly model: string;
  /** Number of parameters. */
  readonly parameters: number;
  readonly rounds: number;
  /** C, or how it adapts. */
  readonly clip: string;
  /** Of a device in a round. */
  readonly training: string;
  /** On what data learning rates and clip norms were chosen. */
  readonly tuning: string;
  readonly testExamples: number;
  /** What labels are called. */
  readonly classes: readonly string[];
}

export type ReportMechanism =
  | "central"
  | "distributed-gaussian"
  | "distributed-skellam"
  | "local"
  | "toeplitz"
  | "banded";

export type ReportCell = NoiselessCell | PrivateCell;

interface CellSetting {
  readonly mechanism: ReportMechanism;
  /** N */
  readonly population: number;
  /** Examples on each device, on average. */
  readonly perDevice: number;
  /** Devices in a round, on average. */
  readonly cohort: number;
  /** q */
  readonly samplingRate: number;
  /** Of a coordinate under masks; null where nothing is masked. */
  readonly bits: number | null;
  /** Share of devices lost in each round. */
  readonly dropout: number;
  /** `iid`, or the α of a Dirichlet distribution over labels; a text for other partitions. */
  readonly heterogeneity: string | number;
  /** At least one. */
  readonly seeds: readonly SeedResult[];
}

export interface NoiselessCell extends CellSetting {
  readonly kind: "noiseless";
}

export interface PrivateCell extends CellSetting {
  readonly kind: "private";
  readonly epsilonTarget: number | null;
  readonly epsilon: EpsilonStatement;
  /** z */
  readonly noiseMultiplier: number;
  readonly distributed?: {
    /** n_fix */
    readonly roster: number;
    /** u_min */
    readonly leastSurvivors: number;
    /** Chance that a coordinate of the sum wraps around. */
    readonly wrapProbability?: number;
  };
}

export interface SeedResult {
  readonly seed: number;
  /** Of the final model on the public test set, 0 to 1; of the last finite one where it diverged. */
  readonly accuracy: number;
  readonly diverged: boolean;
  readonly byRound: readonly { readonly round: number; readonly accuracy: number; readonly updateNorm: number }[];
  /** In the order of the task's classes; empty where it diverged. */
  readonly byClass: readonly number[];
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Of one device that is in a round, mean. */
  readonly uploadedBytesPerDevice: number;
  readonly downloadedBytesPerDevice: number;
}

/** Accuracies on the same test set: one a seed. */
export interface ReportBaselines {
  /** All data in one place. */
  readonly central?: { readonly accuracies: readonly number[]; readonly what: string };
  /** Each device with its own data only. */
  readonly localOnly?: { readonly accuracies: readonly number[]; readonly what: string };
  readonly chance?: number;
}

/** A few rounds beside the grid in which every device drew its own noise, and real masks covered it. */
export interface CertifiedRun {
  readonly mechanism: ReportMechanism;
  readonly rounds: number;
  readonly epsilon: EpsilonStatement;
  readonly accuracy: number;
  /** Every unmasked sum was the plain sum of what devices had masked, bit for bit. */
  readonly exact: boolean;
  readonly roster: number;
  readonly uploadedBytesPerDevice: number;
  readonly cpuSeconds: number;
}

/** What an audit proves of ε from below, beside what the accountant proves from above. */
export interface ReportedAudit {
  readonly name: string;
  readonly lowerBound: number;
  readonly upperBound: number;
  readonly epsilon: EpsilonStatement;
}

export interface ReportedAttack {
  readonly name: string;
  /** "without noise", "ε = 8". */
  readonly setting: string;
  /** What was measured: "true positives at 1 % false positives". */
  readonly figure: string;
  readonly value: number;
}
