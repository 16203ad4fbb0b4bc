import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createLocalPool } from "../../simulations/fleet/training/training-pool.ts";
import { createWorkerPool } from "../../simulations/fleet/training/worker-pool.ts";
import { reproduceMcMahan, reproductionTable } from "./mcmahan-report.ts";

// npm run reproduce:mcmahan [-- --json] [--quick] [--cnn] [--long] [--row NAME] [--seeds 3] [--lr ETA] [--workers N]
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    cnn: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    row: { type: "string", multiple: true },
    seeds: { type: "string", default: "3" },
    lr: { type: "string" },
    workers: { type: "string", default: String(availableParallelism()) },
  },
});

const workers = Number(values.workers);
const report = await reproduceMcMahan({
  quick: values.quick,
  cnn: values.cnn,
  long: values.long,
  rows: values.row ?? [],
  seeds: Number(values.seeds),
  ...(values.lr === undefined ? {} : { learningRate: Number(values.lr) }),
  createPool: workers === 1 ? createLocalPool : (setting) => createWorkerPool(setting, workers),
  onProgress: (what) => process.stderr.write(`${what}\n`),
});
process.stdout.write(`${values.json ? JSON.stringify(report, undefined, 2) : reproductionTable(report)}\n`);
