import { parseArgs } from "node:util";
import { benchmarkDocument, benchmarkTable } from "./report.ts";
import { runServeBenchmark } from "./serve-cases.ts";

// npm run bench:serve [-- --json] [--quick] [--case NAME]
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    case: { type: "string" },
  },
});

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());

try {
  const rows = await runServeBenchmark({
    quick: values.quick,
    ...(values.case === undefined ? {} : { only: values.case }),
    interrupt: interrupt.signal,
    onProgress: (what) => {
      if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
    },
    onWarning: (what) => process.stderr.write(`${what}\n`),
  });
  const document = benchmarkDocument("serve", rows);
  process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : benchmarkTable(document)}\n`);
} catch (error) {
  process.stderr.write(`bench:serve: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}
