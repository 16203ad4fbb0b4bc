import { parseArgs } from "node:util";
import { median } from "../bench/report.ts";
import { audit, audited } from "../simulations/attacks/audit/audited-run.ts";
import { FAULTS } from "../simulations/attacks/audit/faulty-builds.ts";

// npm run audit:privacy [-- --json] [--audits 20]
//
// The audits of the test suite in full: a sound build may never be accused, and each fault has to be caught in nine of
// ten audits; otherwise it fails. About 1.5 CPU seconds an audit.
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    audits: { type: "string", default: "20" },
  },
});

const audits = Number(values.audits);
const builds = {
  sound: audited,
  ...Object.fromEntries(Object.entries(FAULTS).map(([name, of]) => [name, of(audited)])),
};
const rows = Object.entries(builds).map(([build, release]) => {
  process.stderr.write(`${build}\n`);
  const verdicts = Array.from({ length: audits }, (_, seed) => audit(release, 1 + seed));
  return {
    build,
    audits,
    accused: verdicts.filter(({ accused }) => accused).length,
    claimed: verdicts[0].claimed,
    gaussian_median: median(verdicts.map(({ gaussian }) => gaussian)),
    one_run_median: median(verdicts.map(({ oneRun }) => oneRun)),
    one_run_accused: verdicts.filter(({ oneRun, claimed }) => oneRun > claimed).length,
  };
});

if (values.json) process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
else {
  for (const { build, accused, claimed, gaussian_median, one_run_median, one_run_accused } of rows) {
    process.stdout.write(
      `${build}: accused in ${accused} of ${audits}, ${one_run_accused} by one run alone; claimed ε ${claimed.toFixed(2)}, shown at least ${gaussian_median.toFixed(2)} if Gaussian, ${one_run_median.toFixed(2)} in any case\n`,
    );
  }
}

const right = rows.every(({ build, accused }) => (build === "sound" ? accused === 0 : accused >= 0.9 * audits));
if (!right) process.exitCode = 1;
