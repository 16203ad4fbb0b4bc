import { parseArgs } from "node:util";
import { benchmarkDocument, benchmarkTable } from "./report.ts";
import { runSecAggBenchmark } from "./secagg-cases.ts";

// npm run bench:secagg [-- --json] [--quick] [--case NAME]
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    case: { type: "string" },
  },
});

const rows = runSecAggBenchmark({
  quick: values.quick,
  ...(values.case === undefined ? {} : { only: values.case }),
  onProgress: (what) => {
    if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
  },
});
const document = benchmarkDocument("secagg", rows);
process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : benchmarkTable(document)}\n`);
