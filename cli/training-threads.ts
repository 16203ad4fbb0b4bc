import type { CreatePool } from "../simulations/fleet/training/training-pool.ts";
import type { Invocation } from "./invocation.ts";
import { countFlag } from "./number-flags.ts";

/** Threads beyond these are more memory than speed: each has an engine and a model of its own. */
const MOST_THREADS = 64;

/**
 * Where a simulation's devices are trained: on as many threads as `--workers` says, or as the machine runs at once. The
 * results do not depend on it.
 */
export async function trainingThreads(invocation: Invocation, flag: unknown): Promise<CreatePool> {
  const workers = countFlag(
    "--workers",
    flag === undefined ? undefined : String(flag),
    Math.min(invocation.edge.cores, MOST_THREADS),
    MOST_THREADS,
  );
  if (workers === 1) return (await import("../simulations/fleet/training/training-pool.ts")).createLocalPool;
  const { createWorkerPool } = await import("../simulations/fleet/training/worker-pool.ts");
  return (setting) => createWorkerPool(setting, workers);
}
