import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release } from "node:os";
import { join } from "node:path";
import type { RunStamp } from "../simulations/experiments/run-stamp.ts";
import type { Edge } from "./edge.ts";
import { packageRoot, toolVersion } from "./version.ts";

/** Takes the stamp of this process and machine. */
export function takeStamp(edge: Edge): RunStamp {
  const root = packageRoot();
  return {
    tool: toolVersion(),
    git: gitState(root),
    node: process.version,
    os: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    lockHash: lockHash(root),
    argv: edge.argv,
    startedAt: new Date(edge.clock()).toISOString(),
  };
}

function gitState(root: string): RunStamp["git"] {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", root, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5_000,
    });
  try {
    return { commit: git("rev-parse", "HEAD").trim(), dirty: git("status", "--porcelain").trim() !== "" };
  } catch {
    return null;
  }
}

function lockHash(root: string): string | null {
  try {
    return createHash("sha256")
      .update(readFileSync(join(root, "package-lock.json")))
      .digest("hex");
  } catch {
    return null;
  }
}
