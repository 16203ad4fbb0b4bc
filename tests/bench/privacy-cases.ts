import { composed } from "../../shared/privacy/accounting/pld/compose.ts";
import { pldEpsilon } from "../../shared/privacy/accounting/pld/epsilon.ts";
import { poissonGaussianPld } from "../../shared/privacy/accounting/pld/mechanisms.ts";
import { cpuMilliseconds } from "./mask-limit.ts";
import { type BenchmarkRow, median } from "./report.ts";

export interface PrivacyBenchmarkOptions {
  /** Fewer repetitions. */
  readonly quick: boolean;
  /** Only the case of this name. */
  readonly only?: string;
  /** Told what is being measured. */
  readonly onProgress?: (what: string) => void;
}

/**
 * What differential privacy costs, in CPU time: absolute figures.
 *
 * | case | subject |
 * |---|---|
 * | `pld-10000` | ε of 10,000 steps at q = 0.01, z = 1, δ = 1e-5 by the privacy loss distribution, from nothing |
 */
export function runPrivacyBenchmark({ quick, only, onProgress = () => {} }: PrivacyBenchmarkOptions): BenchmarkRow[] {
  const wanted = CASES.filter(({ name }) => only === undefined || name === only);
  if (wanted.length === 0) throw new RangeError(`there is no case "${only}"`);
  return wanted.map(({ name, subject, unit, measure }) => {
    onProgress(name);
    const repetitions = quick ? 1 : 9;
    // The first run also compiles.
    if (!quick) measure();
    const subjectMedian = median(Array.from({ length: repetitions }, measure));
    return {
      case: name,
      subject,
      baseline: null,
      unit,
      subject_median: subjectMedian,
      baseline_median: null,
      ratio: null,
      repetitions,
    };
  });
}

interface Case {
  readonly name: string;
  readonly subject: string;
  readonly unit: string;
  /** Does it once and says what it cost; throws where the result is not what it should be. */
  readonly measure: () => number;
}

const CASES: readonly Case[] = [
  { name: "pld-10000", subject: "privacy loss distribution", unit: "s CPU", measure: () => seconds(tenThousandSteps) },
];

function tenThousandSteps(): void {
  const pld = composed(poissonGaussianPld({ sampling: 0.01, noiseMultiplier: 1 }), 10_000);
  const epsilon = pldEpsilon(pld, 1e-5);
  // On a grid four times as fine it is 6.18771.
  if (!(epsilon > 6.1877 && epsilon < 6.1878)) throw new Error(`ε came out as ${epsilon}`);
}

function seconds(work: () => void): number {
  const start = cpuMilliseconds();
  work();
  return (cpuMilliseconds() - start) / 1e3;
}
