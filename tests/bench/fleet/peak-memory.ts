import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { BINARY, ensureBuilt } from "../../cli/built-binary.ts";

/** Runs in the measured process before it does: writes its peak to the third descriptor when it ends. */
const HOOK = `
  import { writeSync } from "node:fs";
  import { isMainThread } from "node:worker_threads";
  if (isMainThread) process.on("exit", () => writeSync(3, String(process.resourceUsage().maxRSS)));
`;

/** Most memory that a whole `murmur run` has resident at once, all its threads together: 10^6 bytes. */
export async function peakMegabytes(args: readonly string[]): Promise<number> {
  ensureBuilt();
  const cwd = mkdtempSync(join(tmpdir(), "murmur-bench-"));
  try {
    const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
    const child = spawn(process.execPath, ["--import", hook, BINARY, "run", ...args, "--quiet"], {
      cwd,
      stdio: ["ignore", "ignore", "inherit", "pipe"],
    });
    let written = "";
    (child.stdio[3] as Readable).setEncoding("utf8").on("data", (text: string) => {
      written += text;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code !== 0) throw new Error(`murmur run ${args.join(" ")} ended with ${code}`);
    return (Number(written) * 1024) / 1e6;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
