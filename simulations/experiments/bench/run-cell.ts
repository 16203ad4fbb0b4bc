import { rmSync } from "node:fs";
import { ENGINES } from "../../../client/training/engines.ts";
import { openRunReader } from "../../../server/store/run-reader.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { StopSignal } from "../../../shared/time/stop-signal.ts";
import { loadDataset } from "../../datasets/index.ts";
import { createLocalPool } from "../../fleet/training/training-pool.ts";
import { loadModel } from "../../load-model.ts";
import { federateInProcess } from "../federate-in-process.ts";
import { privacyPlan } from "../privacy/privacy-plan.ts";
import { runExperiment } from "../run.ts";
import type { RunStamp } from "../run-stamp.ts";
import type { Cell } from "./bench-grid.ts";
import type { CellResult } from "./cell-result.ts";
import { classAccuracy } from "./class-accuracy.ts";

/** What a cell needs of the process that it runs in. */
export interface CellSurroundings {
  readonly stamp: RunStamp;
  readonly stop: StopSignal;
  clock(): number;
  stopwatch(): number;
  breathe(): Promise<void>;
  /** CPU seconds of the process so far. */
  cpuSeconds(): number;
}

/**
 * Plays one cell as `murmur run` would, in a folder of its own that is gone when it ends.
 * @returns undefined when it was stopped
 */
export async function runCell(
  { id, config }: Pick<Cell, "id" | "config">,
  folder: string,
  { stamp, stop, clock, stopwatch, breathe, cpuSeconds }: CellSurroundings,
): Promise<CellResult | undefined> {
  // What a cell that was killed has left.
  rmSync(folder, { recursive: true, force: true });
  const startedAt = stopwatch();
  const startedCpu = cpuSeconds();
  const series: CellResult["series"] = [];
  const stamps = new Set<string>();
  let epsilon: number | null = null;
  const plan = privacyPlan(config);
  let status: CellResult["status"] = "done";
  let figures = { accuracy: null as number | null, exact: null as boolean | null, up: 0, down: 0 };
  try {
    const result = await runExperiment({
      config,
      folder,
      runId: id,
      resume: false,
      stamp,
      provider: cryptoProvider,
      stop,
      clock,
      stopwatch,
      breathe,
      transport: "in-process",
      federate: federateInProcess(createLocalPool),
      onEvent(event) {
        if (event.type === "run.started") for (const text of event.p.summary.stamps) stamps.add(text);
        if (event.type !== "round.done") return;
        const { round, acc, eps, updateNorm } = event.p;
        if (acc !== null) series.push({ round, accuracy: acc, updateNorm: updateNorm ?? 0 });
        if (eps !== null) epsilon = eps;
      },
    });
    if (result.status === "interrupted") return undefined;
    if (result.status !== "done") status = result.status === "diverged" ? "diverged" : "failed";
    figures = {
      accuracy: result.accuracy,
      exact: result.secagg.exact,
      up: result.bytes.upPerDevice,
      down: result.bytes.downPerDevice,
    };
  } catch (error) {
    // The noise has driven the model beyond all numbers: that is a result.
    if (!(error instanceof MurmurError && error.name === "non-finite-update")) throw error;
    status = "diverged";
  }
  const accuracyByClass = status === "done" ? await finalByClass(config, folder) : [];
  rmSync(folder, { recursive: true, force: true });
  return {
    id,
    status,
    accuracy: status === "diverged" ? null : figures.accuracy,
    accuracyByClass,
    series,
    noiseMultiplier: plan === undefined || plan.noiseMultiplier === 0 ? null : plan.noiseMultiplier,
    epsilon,
    roster: plan?.roster ?? null,
    exact: figures.exact,
    stamps: [...stamps],
    wallSeconds: (stopwatch() - startedAt) / 1000,
    cpuSeconds: cpuSeconds() - startedCpu,
    bytesUpPerDevice: figures.up,
    bytesDownPerDevice: figures.down,
  };
}

async function finalByClass(config: Cell["config"], folder: string): Promise<number[]> {
  const reader = openRunReader(folder);
  try {
    const checkpoint = reader.latestCheckpoint();
    if (checkpoint === undefined) return [];
    const dataset = await loadDataset(config.task.dataset, config.seed);
    const trainer = await ENGINES[config.train.engine](await loadModel(config.task.model, dataset));
    try {
      return await classAccuracy(trainer, dataset, checkpoint.parameters);
    } finally {
      await trainer.dispose();
    }
  } finally {
    reader.close();
  }
}
