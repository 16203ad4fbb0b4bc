import type { RunConfigDocument } from "../../simulations/experiments/config.ts";
import { type CreatePool, createLocalPool } from "../../simulations/fleet/training/training-pool.ts";
import { createWorkerPool } from "../../simulations/fleet/training/worker-pool.ts";
import { openBareLoop } from "./fleet/bare-loop.ts";
import { peakMegabytes } from "./fleet/peak-memory.ts";
import { openSimulation, type Simulation } from "./fleet/simulation.ts";
import type { FleetCases, MeasureOptions } from "./fleet-cases.ts";
import { type BenchmarkRow, median } from "./report.ts";
import { cpuSeconds, sharedSeconds } from "./serve/measuring.ts";

/**
 * What a simulated round costs beside its training. Rounds of FedAvg as `murmur run` plays and stores them: 10 devices of
 * 600 MNIST examples, B = 10, E = 1, cryptography off, nothing evaluated.
 *
 * | case | subject | baseline |
 * |---|---|---|
 * | `round-2nn`, `round-cnn` | CPU seconds of a round in one thread | of the same trainings alone, on examples gathered beforehand |
 * | `workers2-2nn`, `workers2-cnn` | rounds a second, by the clock, on two worker threads | on one worker thread |
 * | `devices-100000` | CPU seconds of a round of the 2NN in a population of 100,000 | of 100 |
 * | `memory-2nn` | peak resident memory of a whole `murmur run`, as it comes: the 2NN, real cryptography, a thread a core | |
 *
 * @param program of a worker thread; the compiled one beside the pool unless it is given
 */
export function fleetRoundCases(program?: URL): FleetCases {
  const onThreads =
    (workers: number): CreatePool =>
    (setting) =>
      createWorkerPool(setting, workers, program);
  return {
    names: () => CASES.map(({ name }) => name),
    async measure(options) {
      const rows: BenchmarkRow[] = [];
      for (const each of CASES) {
        if (!options.wants(each.name)) continue;
        options.onProgress(each.name);
        rows.push(await each.measure({ ...options, onThreads }));
      }
      return rows;
    },
  };
}

interface Measuring extends MeasureOptions {
  onThreads(workers: number): CreatePool;
}

interface Case {
  readonly name: string;
  measure(options: Measuring): Promise<BenchmarkRow>;
}

/** Rounds of one repetition: the 2NN's takes a quarter of a CPU second, the CNN's eight. */
const ROUNDS = { "2nn": 6, cnn: 1 } as const;
type Model = keyof typeof ROUNDS;

const CASES: readonly Case[] = [
  { name: "round-2nn", measure: (options) => overhead("2nn", options) },
  { name: "round-cnn", measure: (options) => overhead("cnn", options) },
  { name: "workers2-2nn", measure: (options) => speedUp("2nn", options) },
  { name: "workers2-cnn", measure: (options) => speedUp("cnn", options) },
  { name: "devices-100000", measure: population },
  { name: "memory-2nn", measure: memory },
];

function roundConfig(model: Model, quick: boolean, population = 100, isDrawn = false): RunConfigDocument {
  // The short form's devices have a tenth of the examples.
  const perDevice = quick ? 60 : 600;
  const partition = quick || isDrawn ? ({ kind: "drawn", perDevice } as const) : ({ kind: "iid" } as const);
  return {
    seed: 1,
    task: { dataset: "mnist", model, partition },
    fleet: { devices: population, dropout: 0 },
    train: { epochs: 1, batch: 10, lr: 0.1 },
    round: { count: 10_000, cohort: 10, overSelection: 1, minCohort: 8, evaluateEvery: 10_000 },
    secagg: { fidelity: "off" },
  };
}

const repetitionsOf = (model: Model, quick: boolean) => (quick ? 1 : model === "cnn" ? 3 : 7);
const roundsOf = (model: Model, quick: boolean) => (quick ? 1 : ROUNDS[model]);

async function overhead(model: Model, { quick }: Measuring): Promise<BenchmarkRow> {
  const simulation = await openSimulation(roundConfig(model, quick), createLocalPool);
  const loop = await openBareLoop(simulation);
  const repetitions = repetitionsOf(model, quick);
  const rounds = roundsOf(model, quick);
  const subject: number[] = [];
  const baseline: number[] = [];
  try {
    // Sessions are opened and functions compiled in a rehearsal.
    for (let repetition = quick ? 1 : 0; repetition <= repetitions; repetition++) {
      const started = cpuSeconds();
      const played = await playRounds(simulation, rounds);
      subject.push((cpuSeconds() - started) / rounds);
      let alone = 0;
      for (const round of played) alone += await loop.seconds(round);
      baseline.push(alone / rounds);
    }
  } finally {
    await loop.close();
    await simulation.close();
  }
  return compared(`round-${model}`, ["simulator", "bare-loop"], "CPU s/round", subject, baseline, repetitions);
}

async function speedUp(model: Model, { quick, onThreads }: Measuring): Promise<BenchmarkRow> {
  const config = roundConfig(model, quick);
  return alternated(
    `workers2-${model}`,
    ["workers2", "workers1"],
    "rounds/s",
    [await openSimulation(config, onThreads(2)), await openSimulation(config, onThreads(1))],
    async (simulation) => {
      // Two rounds of the CNN: one by itself has the threads' start in it.
      const rounds = 2 * roundsOf(model, quick);
      const started = sharedSeconds();
      await playRounds(simulation, rounds);
      return rounds / (sharedSeconds() - started);
    },
    repetitionsOf(model, quick),
  );
}

async function population({ quick }: Measuring): Promise<BenchmarkRow> {
  const sized = (devices: number) => openSimulation(roundConfig("2nn", quick, devices, true), createLocalPool);
  return alternated(
    "devices-100000",
    ["devices-100000", "devices-100"],
    "CPU s/round",
    [await sized(100_000), await sized(100)],
    async (simulation) => {
      const rounds = roundsOf("2nn", quick);
      const started = cpuSeconds();
      await playRounds(simulation, rounds);
      return (cpuSeconds() - started) / rounds;
    },
    repetitionsOf("2nn", quick),
  );
}

async function memory({ quick }: Measuring): Promise<BenchmarkRow> {
  const repetitions = quick ? 1 : 3;
  const peaks: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    peaks.push(await peakMegabytes(quick ? ["--set", "round.count=1"] : []));
  }
  return {
    case: "memory-2nn",
    subject: "murmur run",
    baseline: null,
    unit: "MB",
    subject_median: median(peaks),
    baseline_median: null,
    ratio: null,
    repetitions,
  };
}

async function playRounds(simulation: Simulation, rounds: number) {
  const played = [];
  for (let round = 0; round < rounds; round++) played.push(await simulation.round());
  return played;
}

/** Measures subject and baseline in turn, after a rehearsal of both, and closes them. */
async function alternated(
  name: string,
  names: readonly [string, string],
  unit: string,
  simulations: readonly [Simulation, Simulation],
  measure: (simulation: Simulation) => Promise<number>,
  repetitions: number,
): Promise<BenchmarkRow> {
  const figures: [number[], number[]] = [[], []];
  try {
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      for (const side of [0, 1]) figures[side].push(await measure(simulations[side]));
    }
  } finally {
    for (const simulation of simulations) await simulation.close();
  }
  return compared(name, names, unit, ...figures, repetitions);
}

/** The first figures, of the rehearsal, are left out. */
function compared(
  name: string,
  [subject, baseline]: readonly [string, string],
  unit: string,
  subjects: readonly number[],
  baselines: readonly number[],
  repetitions: number,
): BenchmarkRow {
  const subjectMedian = median(subjects.slice(-repetitions));
  const baselineMedian = median(baselines.slice(-repetitions));
  return {
    case: name,
    subject,
    baseline,
    unit,
    subject_median: subjectMedian,
    baseline_median: baselineMedian,
    ratio: subjectMedian / baselineMedian,
    repetitions,
  };
}
