import { parseArgs } from "node:util";
import { soak } from "./soak.ts";

// npm run soak [-- --minutes 10] [--seed 1] [--json]
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});

const result = await soak({
  minutes: Number(values.minutes),
  seed: Number(values.seed),
  onProgress: (text) => process.stderr.write(`${text}\n`),
});
if (values.json) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
else {
  const mebibytes = ({ early, late }: { early: number; late: number }) =>
    `${(early / 2 ** 20).toFixed(1)} → ${(late / 2 ** 20).toFixed(1)} MiB`;
  const counts = (table: Readonly<Record<string, number>>) =>
    Object.entries(table)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ") || "none";
  process.stdout.write(
    [
      `${result.seconds.toFixed(0)} s, ${result.committed} rounds committed`,
      `abandoned    ${counts(result.abandoned)}`,
      `lost         ${counts(result.drops)}`,
      `disturbed    ${counts(result.disturbances)}`,
      `resident     ${mebibytes(result.memory)}`,
      `heap         ${mebibytes(result.heap)}`,
      `open files   ${result.handles.early} → ${result.handles.late}, without devices' connections`,
      `longest      ${result.longestRound.toFixed(1)} s of the ${result.allowedRound} s that a round may take`,
      ...(result.problems.length === 0 ? ["all is well"] : result.problems.map((problem) => `PROBLEM  ${problem}`)),
      "",
    ].join("\n"),
  );
}
process.exit(result.problems.length === 0 ? 0 : 1);
