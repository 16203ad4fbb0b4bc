import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ended, ensureBuilt, spawnMurmur } from "./built-binary.ts";
import { temporaryFolder } from "./memory-edge.ts";

beforeAll(ensureBuilt, 120_000);

/** More rounds than a test waits for. */
const ENDLESS = {
  task: { dataset: "blobs", model: "softmax" },
  fleet: { devices: 12, dropout: 0 },
  round: { count: 100_000, cohort: 5, minCohort: 4 },
  secagg: { minHonest: 2 },
};

function folderWithConfig(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "endless.yaml"), JSON.stringify(ENDLESS));
  return cwd;
}

describe("the installed command", () => {
  it("keeps results and errors apart, and ends with the documented code", async () => {
    const cwd = temporaryFolder();
    const help = await ended(spawnMurmur(["--help"], cwd));
    expect(help).toMatchObject({ exitCode: 0, stderr: "" });
    const typo = await ended(spawnMurmur(["rnu"], cwd));
    expect(typo).toMatchObject({ exitCode: 2, stdout: "" });
    const missing = await ended(spawnMurmur(["run", "missing.yaml", "--format", "json"], cwd));
    expect(missing).toMatchObject({ exitCode: 3, stderr: "" });
    expect(JSON.parse(missing.stdout)).toMatchObject({ ok: false, code: 3, name: "config-not-found" });
  });

  it("writes all of a long result to a pipe before it ends", async () => {
    const { stdout } = await ended(spawnMurmur(["config", "schema"], temporaryFolder()));
    expect(JSON.parse(stdout).title).toBe("Murmuration run");
  });

  it("reads questions from a pipe", async () => {
    const child = spawnMurmur(["secagg", "parameters"], temporaryFolder());
    child.stdin.end('[{"cohort": 100, "corrupted": 0.05, "dropout": 0.1}]');
    const { exitCode, stdout } = await ended(child);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ degree: 26, threshold: 16 }]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("stops at %s with code %i, and what it did is kept", async (signal, code) => {
    const cwd = folderWithConfig();
    const child = spawnMurmur(["run", "endless.yaml"], cwd);
    let sent = false;
    child.stderr.on("data", (text: string) => {
      if (sent || !String(text).includes("round ")) return;
      sent = true;
      child.kill(signal);
    });
    const { exitCode, stdout, stderr } = await ended(child);
    expect(exitCode).toBe(code);
    expect(stderr).toContain("stopping after this round");
    expect(stdout).toContain("interrupted");
    expect(readdirSync(join(cwd, "runs"))).toHaveLength(1);
  });

  it("ends without a stack trace when its reader goes away", async () => {
    const child = spawnMurmur(["run", "endless.yaml", "--format", "ndjson", "--no-progress"], folderWithConfig());
    child.stdout.once("data", () => child.stdout.destroy());
    const { exitCode, stderr } = await ended(child);
    expect(exitCode).toBe(141);
    expect(stderr).toBe("");
  });
});
