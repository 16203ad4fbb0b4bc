import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { type RunConfig, runConfigSchema } from "../../simulations/experiments/config.ts";
import { createInProcessFederation } from "../../simulations/experiments/in-process-federation.ts";
import { passingFleetMemories } from "../../simulations/fleet/fleet-memories.ts";
import type { CreatePool } from "../../simulations/fleet/training/training-pool.ts";
import type { PaperRow } from "./mcmahan-rows.ts";
import type { CurvePoint } from "./rounds-to-target.ts";

export interface TrainToTargetOptions {
  readonly row: PaperRow;
  readonly seed: number;
  readonly createPool: CreatePool;
  readonly onPoint?: (point: CurvePoint) => void;
}

/** Plays rounds until the row's accuracy is reached, or its cap; returns the learning curve. */
export async function trainToTarget({ row, seed, createPool, onPoint }: TrainToTargetOptions): Promise<CurvePoint[]> {
  const memories = passingFleetMemories();
  const federation = await createInProcessFederation({
    config: configOf(row, seed),
    provider: cryptoProvider,
    taskId: new Uint8Array(16),
    journal: { uploads: [], record() {} },
    memories,
    createPool,
  });
  const { algorithm, evaluate, initial } = federation.experiment;
  const stop = createStopSwitch();
  const curve: CurvePoint[] = [];
  try {
    let state = algorithm.init(initial);
    for (let round = 1; round <= row.cap; round++) {
      const broadcast = { values: algorithm.broadcast(state), lost: [] };
      const { outcome } = await federation.play(round, broadcast, {
        onSelected() {},
        onFacts() {},
        onTrainingError(device, error) {
          throw new Error(`${device} could not train`, { cause: error });
        },
        async breathe() {},
        stop,
        startsAt: 0,
      });
      if (outcome.kind === "abandoned") throw new Error(`round ${round} was abandoned: ${outcome.detail}`);
      state = algorithm.next(state, outcome.aggregate);
      if (round % row.evaluateEvery !== 0 && round !== row.cap) continue;
      const { accuracy } = await evaluate(state.parameters);
      if (accuracy === undefined) throw new Error("digits are classified, and classes have an accuracy");
      curve.push({ round, accuracy });
      onPoint?.({ round, accuracy });
      if (accuracy >= row.target) break;
    }
  } finally {
    await federation.dispose();
    memories.close();
  }
  return curve;
}

const DEVICES = 100;

/** As in the paper: nobody is lost, everybody who is asked answers, and there is no secure aggregation to simulate. */
function configOf(row: PaperRow, seed: number): RunConfig {
  const cohort = Math.max(1, Math.round(row.fraction * DEVICES));
  return runConfigSchema.parse({
    seed,
    task: {
      dataset: "mnist",
      model: row.model,
      partition: row.partition === "iid" ? { kind: "iid" } : { kind: "shards", perDevice: 2 },
    },
    fleet: { devices: DEVICES, dropout: 0 },
    train: { epochs: row.epochs, batch: 10, lr: row.learningRate },
    round: { count: row.cap, cohort, overSelection: 1, minCohort: cohort },
    secagg: cohort === 1 ? { mode: "plaintext", insecure: true } : { fidelity: "off", minHonest: 2 },
  });
}
