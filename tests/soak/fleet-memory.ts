import { parseArgs } from "node:util";
import { memory as tfjsMemory } from "@tensorflow/tfjs-core";
import { InferenceSession } from "onnxruntime-node";
import { createLocalPool } from "../../simulations/fleet/training/training-pool.ts";
import { createWorkerPool } from "../../simulations/fleet/training/worker-pool.ts";
import { openSimulation } from "../bench/fleet/simulation.ts";
import type { MemorySample } from "./memory-growth.ts";

// node --expose-gc dist/tests/soak/fleet-memory.js [--rounds 500] [--workers 0]: samples as JSON, one every ten rounds
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "500" },
    /** 0: in this thread, where tensors and sessions can be counted. */
    workers: { type: "string", default: "0" },
  },
});

/** Counts the sessions that are open: ONNX Runtime itself does not say. */
function watchSessions(): () => number {
  let open = 0;
  const { create } = InferenceSession;
  InferenceSession.create = (async (...args: Parameters<typeof create>) => {
    const session = await create.apply(InferenceSession, args);
    const release = session.release.bind(session);
    open++;
    session.release = async () => {
      await release();
      open--;
    };
    return session;
  }) as typeof create;
  return () => open;
}

const { gc } = globalThis;
if (gc === undefined) throw new Error("start it with --expose-gc: garbage is not a leak");
const sessions = watchSessions();
const rounds = Number(values.rounds);
const workers = Number(values.workers);
const simulation = await openSimulation(
  {
    seed: 3,
    // Devices of all sizes, so that batches of every size come up, and some that are lost.
    task: { dataset: "blobs", model: "softmax", partition: { kind: "quantity" } },
    fleet: { devices: 60, dropout: 0.1 },
    round: { count: rounds, cohort: 6, overSelection: 1.3, minCohort: 4, evaluateEvery: 5 },
    secagg: { fidelity: workers === 0 ? "off" : "accounted", minHonest: 2 },
  },
  workers === 0 ? createLocalPool : (setting) => createWorkerPool(setting, workers),
);
const samples: MemorySample[] = [];
let abandoned = 0;
for (let round = 1; round <= rounds; round++) {
  if ((await simulation.attempt()) === undefined) abandoned++;
  if (round % 10 !== 0) continue;
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const counted = { tensors: tfjsMemory().numTensors, sessions: sessions() };
  samples.push({ round, ...counted, held: heapUsed + external, resident: rss });
}
await simulation.close();
if (abandoned > rounds / 10) throw new Error(`${abandoned} of ${rounds} rounds were abandoned`);
process.stdout.write(`${JSON.stringify(samples)}\n`);
