// Compiles the TypeScript sources into dist/ and makes the command executable.
// `npm ci` runs this through `prepare`; it needs nothing but the installed packages.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

function findCompiler() {
  try {
    const manifest = require.resolve("typescript/package.json");
    return join(dirname(manifest), "bin", "tsc");
  } catch {
    return undefined;
  }
}

const compiler = findCompiler();
if (compiler === undefined || !existsSync(compiler)) {
  console.error(
    "build: typescript is not installed (an install without development dependencies): dist/ is left as it is",
  );
  process.exit(existsSync("dist/cli/main.js") ? 0 : 1);
}

// Build beside dist/ and swap, so that a failed build leaves the last good one, and two at a time do not mix.
const next = `dist.next-${process.pid}`;
const result = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", next], {
  stdio: "inherit",
});
if (result.status !== 0) {
  rmSync(next, { recursive: true, force: true });
  process.exit(result.status ?? 1);
}
// Two renames, and only then the deleting: whoever runs from dist/ at this moment misses it for as short as can be.
const last = `dist.last-${process.pid}`;
if (existsSync("dist")) renameSync("dist", last);
renameSync(next, "dist");
rmSync(last, { recursive: true, force: true });
chmodSync("dist/cli/main.js", 0o755);
