import { parseArgs } from "node:util";
import { type FleetCases, runFleetBenchmark } from "./fleet-cases.ts";
import { FLEET_MODEL_CASES } from "./fleet-model-cases.ts";
import { fleetRoundCases } from "./fleet-round-cases.ts";
import { benchmarkDocument, benchmarkTable } from "./report.ts";

// npm run bench:fleet [-- --json] [--quick] [--case NAME]
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    case: { type: "string" },
  },
});

/** Every list of cases, in the order in which they are measured. Add a line here to add one. */
const CASES: readonly FleetCases[] = [fleetRoundCases(), FLEET_MODEL_CASES];

const rows = await runFleetBenchmark(CASES, {
  quick: values.quick,
  ...(values.case === undefined ? {} : { only: values.case }),
  onProgress: (what) => {
    if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
  },
});
const document = benchmarkDocument("fleet", rows);
process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : benchmarkTable(document)}\n`);
