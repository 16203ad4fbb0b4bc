import { parseArgs } from "node:util";
import { runEngineBenchmark } from "./engine-cases.ts";
import { benchmarkDocument, benchmarkTable } from "./report.ts";

// npm run bench:engine [-- --json] [--quick] [--case NAME] [--baseline NAME]      PYTHON=… names the Python that has PyTorch
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    case: { type: "string" },
    baseline: { type: "string" },
  },
});

try {
  const rows = await runEngineBenchmark({
    quick: values.quick,
    ...(values.case === undefined ? {} : { only: values.case }),
    ...(values.baseline === undefined ? {} : { baseline: values.baseline }),
    python: process.env.PYTHON ?? "/usr/bin/python3",
    onProgress: (what) => {
      if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
    },
    onBaseline: (what) => process.stderr.write(`${what}\n`),
  });
  const document = benchmarkDocument("engine", rows);
  process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : benchmarkTable(document)}\n`);
} catch (error) {
  process.stderr.write(`bench:engine: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
