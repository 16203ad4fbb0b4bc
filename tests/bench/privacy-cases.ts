import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cryptoProvider } from "#crypto-provider";
import { composed } from "../../shared/privacy/accounting/pld/compose.ts";
import { pldEpsilon } from "../../shared/privacy/accounting/pld/epsilon.ts";
import { poissonGaussianPld } from "../../shared/privacy/accounting/pld/mechanisms.ts";
import { noiseLaw } from "../../shared/privacy/noise/noise-law.ts";
import { systemWords } from "../../shared/privacy/noise/noise-words.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { runConfigSchema } from "../../simulations/experiments/config.ts";
import { federateInProcess } from "../../simulations/experiments/federate-in-process.ts";
import { runExperiment } from "../../simulations/experiments/run.ts";
import type { RunStamp } from "../../simulations/experiments/run-stamp.ts";
import { createLocalPool } from "../../simulations/fleet/training/training-pool.ts";
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
 * What differential privacy costs, in CPU time.
 *
 * | case | subject | baseline |
 * |---|---|---|
 * | `pld-10000` | ε of 10,000 steps at q = 0.01, z = 1, δ = 1e-5 by the privacy loss distribution, from nothing | – |
 * | `dgauss` | exact draws of the discrete Gaussian of σ = 640 from the operating system's bits, a device's share | – |
 * | `ddgauss-round` | a round of 40 devices and the 2NN under real masks, each with its share of the noise | `secagg-round`: the same round, quantised to as many bits and not noised |
 */
export async function runPrivacyBenchmark(options: PrivacyBenchmarkOptions): Promise<BenchmarkRow[]> {
  const { quick, only, onProgress = () => {} } = options;
  const wanted = CASES.filter(({ name }) => only === undefined || name === only);
  if (wanted.length === 0) throw new RangeError(`there is no case "${only}"`);
  const rows: BenchmarkRow[] = [];
  for (const { name, subject, baseline, unit, measure, compare } of wanted) {
    onProgress(name);
    const repetitions = quick ? 1 : 9;
    // The first run also compiles.
    if (!quick) {
      await measure();
      await compare?.();
    }
    const measured: number[] = [];
    const compared: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      measured.push(await measure());
      if (compare !== undefined) compared.push(await compare());
    }
    const subjectMedian = median(measured);
    const baselineMedian = compare === undefined ? null : median(compared);
    rows.push({
      case: name,
      subject,
      baseline: baseline ?? null,
      unit,
      subject_median: subjectMedian,
      baseline_median: baselineMedian,
      ratio: baselineMedian === null ? null : subjectMedian / baselineMedian,
      repetitions,
    });
  }
  return rows;
}

interface Case {
  readonly name: string;
  readonly subject: string;
  readonly baseline?: string;
  readonly unit: string;
  /** Does it once and says what it cost; throws where the result is not what it should be. */
  readonly measure: () => number | Promise<number>;
  /** The baseline, once. */
  readonly compare?: () => Promise<number>;
}

const CASES: readonly Case[] = [
  { name: "pld-10000", subject: "privacy loss distribution", unit: "s CPU", measure: () => seconds(tenThousandSteps) },
  { name: "dgauss", subject: "exact discrete Gaussian", unit: "samples/CPU s", measure: drawsPerSecond },
  {
    name: "ddgauss-round",
    subject: "distributed discrete Gaussian",
    baseline: "secagg-round",
    unit: "s CPU",
    measure: () => roundSeconds(true),
    compare: () => roundSeconds(false),
  },
];

const DRAWS = 2 ** 20;
const shareLaw = noiseLaw("gaussian", 640 ** 2);

function drawsPerSecond(): number {
  const values = new Int32Array(DRAWS);
  const taken = seconds(() => shareLaw.addTo(values, systemWords(cryptoProvider.random)));
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / DRAWS);
  if (Math.abs(deviation / 640 - 1) > 0.01) throw new Error(`σ came out as ${deviation}`);
  return DRAWS / taken;
}

/** CPU time of one round, of which the first, which also prepares, is not counted. */
async function roundSeconds(isNoised: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bench-privacy-"));
  const marks: number[] = [];
  try {
    const result = await runExperiment({
      config: roundConfig(isNoised),
      folder: join(folder, "run"),
      runId: "bench",
      resume: false,
      stamp: STAMP,
      provider: cryptoProvider,
      stop: createStopSwitch(),
      clock: () => Date.now(),
      stopwatch: () => performance.now(),
      breathe: () => new Promise((resolve) => setImmediate(resolve)),
      transport: "in-process",
      federate: federateInProcess(createLocalPool),
      onEvent(event) {
        if (event.type === "round.done") marks.push(cpuMilliseconds());
      },
    });
    if (result.secagg.exact !== true) throw new Error("a sum came out wrong");
    return (marks[1] - marks[0]) / 1e3;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function roundConfig(isNoised: boolean) {
  return runConfigSchema.parse({
    task: { dataset: "mnist", partition: { kind: "drawn", perDevice: 20 }, model: "2nn" },
    fleet: { devices: 40, dropout: 0 },
    train: { epochs: 1, batch: 10, lr: 0.1, ...(isNoised ? {} : { clip: 0.5 }) },
    algorithm: { kind: "fedavg", weight: "uniform" },
    round: { count: 2, cohort: 40, overSelection: 1, evaluateEvery: 2 },
    ...(isNoised
      ? {
          privacy: {
            mechanism: "distributed-gaussian",
            noiseMultiplier: 1,
            clip: 0.5,
            sampling: 1,
            randomness: "system",
          },
        }
      : { secagg: { bits: 22 } }),
  });
}

const STAMP: RunStamp = {
  tool: "bench",
  git: null,
  node: process.version,
  os: "",
  cpu: "",
  cores: 1,
  lockHash: null,
  argv: [],
  startedAt: new Date(0).toISOString(),
};

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
