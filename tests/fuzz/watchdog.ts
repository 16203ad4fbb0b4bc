import { Worker } from "node:worker_threads";

/** Ends the process when it no longer comes to a next session: nothing within it could, in a loop that does not end. */
export interface Watchdog {
  /** A session begins. */
  alive(session: number): void;
}

/** @param patience milliseconds that one session may take */
export function startWatchdog(seed: number, patience: number): Watchdog {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WATCH, { eval: true, workerData: { current, seed, patience } });
  // The process ends without waiting for it.
  worker.unref();
  return { alive: (session) => void Atomics.store(current, 0, session) };
}

const WATCH = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const { current, seed, patience } = workerData;
let seen = -1;
setInterval(() => {
  const session = Atomics.load(current, 0);
  if (session !== seen) {
    seen = session;
    return;
  }
  writeSync(2, "seed " + seed + ", session " + session + " hangs\\n" +
    "Again: npm run fuzz -- --seed " + seed + " --session " + session + "\\n");
  process.kill(process.pid, "SIGKILL");
}, patience);
`;
