import { parseArgs } from "node:util";
import { runPrivacyBenchmark } from "./privacy-cases.ts";
import { benchmarkDocument, benchmarkTable } from "./report.ts";

// npm run bench:privacy [-- --json] [--quick] [--case NAME]
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    case: { type: "string" },
  },
});

try {
  const rows = await runPrivacyBenchmark({
    quick: values.quick,
    ...(values.case === undefined ? {} : { only: values.case }),
    onProgress: (what) => {
      if (process.stderr.isTTY) process.stderr.write(`${what}\n`);
    },
  });
  const document = benchmarkDocument("privacy", rows);
  process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : benchmarkTable(document)}\n`);
} catch (error) {
  process.stderr.write(`bench:privacy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
