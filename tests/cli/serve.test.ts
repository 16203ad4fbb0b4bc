import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/store/database.ts";
import { openRunReader } from "../../server/store/run-reader.ts";
import { readServeFile } from "../../simulations/experiments/serve-file.ts";
import { joinDevices, type ServedRun, serve } from "../end-to-end/served-run.ts";
import { ended, ensureBuilt, spawnMurmur } from "./built-binary.ts";

const CONFIG = {
  seed: 5,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 8, dropout: 0 },
  round: { count: 3, cohort: 5, overSelection: 1.2, minCohort: 4, exchangeDeadline: "20s" },
  secagg: { minHonest: 2 },
  serve: { port: 0, selection: "5s" },
};
const POLICY = ["--min-cohort", "4", "--min-honest", "2"];

const temporary = mkdtempSync(join(tmpdir(), "murmur-serve-"));
const alive: { kill(signal: NodeJS.Signals): unknown }[] = [];

beforeAll(ensureBuilt);
afterEach(() => {
  for (const process of alive.splice(0)) process.kill("SIGKILL");
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function folderWith(config: object = CONFIG): string {
  const cwd = mkdtempSync(join(temporary, "in-"));
  writeFileSync(join(cwd, "config.yaml"), JSON.stringify(config));
  return cwd;
}

async function startServe(cwd: string, args: readonly string[] = []): Promise<ServedRun> {
  const run = await serve(cwd, ["config.yaml", ...args]);
  alive.push(run.process);
  return run;
}

/** A command that is expected to fail: its error, as --format json prints it. */
async function failure(cwd: string, args: readonly string[]) {
  const { exitCode, stdout, stderr } = await ended(spawnMurmur([...args, "--format", "json"], cwd));
  expect(stderr).toBe("");
  return { exitCode, ...(JSON.parse(stdout) as { name: string; message: string; hint: string }) };
}

describe("murmur serve", { timeout: 60_000 }, () => {
  it("keeps its tokens from others, and takes them away when it ends; SIGTERM ends it, devices too", async () => {
    const cwd = folderWith();
    const run = await startServe(cwd);
    const file = join(run.folder, "serve.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const joined = joinDevices(cwd, run.serving.url, "a", 3, POLICY);
    alive.push(joined.process);
    await run.events.next("fleet.presence", ({ p }) => p.waiting === 3);
    run.process.kill("SIGTERM");
    const { exitCode, stdout } = await run.ended;
    expect({ exitCode, status: JSON.parse(stdout).status }).toEqual({ exitCode: 143, status: "interrupted" });
    expect(existsSync(file)).toBe(false);
    // The devices look for it again, until they are told to stop as well.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(joined.process.exitCode).toBeNull();
    joined.process.kill("SIGTERM");
    const device = await joined.ended;
    expect({ exitCode: device.exitCode, status: JSON.parse(device.stdout).status }).toEqual({
      exitCode: 143,
      status: "interrupted",
    });
  });

  it("goes on where it was stopped, with the devices that are still there", async () => {
    const cwd = folderWith({ ...CONFIG, round: { ...CONFIG.round, count: 6 } });
    const run = await startServe(cwd);
    const port = new URL(run.serving.url).port;
    const joined = joinDevices(cwd, run.serving.url, "a", 8, POLICY);
    alive.push(joined.process);
    await run.events.next("round.done");
    run.process.kill("SIGINT");
    expect((await run.ended).exitCode).toBe(130);
    const [id] = readdirSync(join(cwd, "runs"));
    const again = spawnMurmur(["serve", "--resume", id, "--port", port, "--format", "json"], cwd);
    alive.push(again);
    const { exitCode, stdout } = await ended(again);
    expect({ exitCode, result: JSON.parse(stdout) }).toMatchObject({
      exitCode: 0,
      result: { status: "done", rounds: 6 },
    });
    expect((await joined.ended).exitCode).toBe(0);
    const shown = await ended(spawnMurmur(["show", id], cwd));
    expect(shown.stdout).not.toContain("One process played every device");
    expect(shown.stdout).toContain(`reproduce  murmur serve`);
  });

  it("is refused on a folder that another coordinator holds, by a name and a remedy", async () => {
    const cwd = folderWith();
    await startServe(cwd);
    const [id] = readdirSync(join(cwd, "runs"));
    const error = await failure(cwd, ["serve", "--resume", id, "--port", "0"]);
    expect(error).toMatchObject({ exitCode: 4, name: "run-in-use" });
  });

  it("says which port is in use, and leaves no run behind", async () => {
    const cwd = folderWith();
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const error = await failure(cwd, ["serve", "config.yaml", "--port", String(port)]);
    other.close();
    expect(error).toMatchObject({ exitCode: 4, name: "address-in-use" });
    expect(error.message).toContain(String(port));
    expect(readdirSync(join(cwd, "runs"))).toEqual([]);
  });

  it("refuses a private run, whose ε would not hold among devices that come when they can", async () => {
    const cwd = folderWith({
      ...CONFIG,
      fleet: { devices: 60, dropout: 0 },
      algorithm: { kind: "fedavg", weight: "uniform" },
      round: { ...CONFIG.round, cohort: 18, overSelection: 1 },
      privacy: { noiseMultiplier: 1, delta: 0.0001 },
    });
    const error = await failure(cwd, ["serve", "config.yaml"]);
    expect(error).toMatchObject({ exitCode: 3, name: "config-invalid" });
    expect(error.message).toContain("ε would not hold");
  });

  it.each([
    [["--host", "192.0.2.1"], "address-unavailable", 4],
    [["--port", "65536"], "usage", 2],
    [["--port", "http"], "usage", 2],
    [["--tls-cert", "config.yaml"], "tls-invalid", 3],
    [["--tls-cert", "nowhere.pem", "--tls-key", "config.yaml"], "tls-invalid", 3],
    [["--tls-cert", "config.yaml", "--tls-key", "config.yaml"], "tls-invalid", 3],
    [["--resume", "none"], "run-not-found", 2],
    [["--set", "serve.heartbeat=2h"], "config-invalid", 3],
    [["--set", "round.deadline=30d"], "config-invalid", 3],
  ] as const)("with %j ends as %s", async (args, name, exitCode) => {
    const cwd = folderWith();
    expect(await failure(cwd, ["serve", "config.yaml", ...args])).toMatchObject({ name, exitCode });
  });

  it("is not resumed as a run of one process, nor the other way round", async () => {
    const cwd = folderWith();
    const run = await startServe(cwd);
    run.process.kill("SIGTERM");
    await run.ended;
    const [id] = readdirSync(join(cwd, "runs"));
    const error = await failure(cwd, ["run", "--resume", id]);
    expect(error).toMatchObject({ name: "usage", hint: expect.stringContaining("murmur serve --resume") });
  });

  it("is resumed under other names and with other tokens, and with nothing else changed", async () => {
    const cwd = folderWith();
    const run = await startServe(cwd);
    const id = readdirSync(join(cwd, "runs"))[0];
    // A token that the operator has revoked does not keep the run from going on.
    const { url, operatorToken, joinToken } = run.serving;
    const revoked = await fetch(`${url}/v1/tokens/${joinToken.split("_")[2]}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${operatorToken}` },
    });
    expect(revoked.status).toBe(200);
    run.process.kill("SIGKILL");
    await run.ended;

    writeFileSync(join(cwd, "other.yaml"), JSON.stringify({ ...CONFIG, seed: 6 }));
    const refused = await failure(cwd, ["serve", "other.yaml", "--resume", id]);
    expect(refused).toMatchObject({ name: "config-invalid", exitCode: 3 });

    writeFileSync(
      join(cwd, "named.yaml"),
      JSON.stringify({ ...CONFIG, serve: { ...CONFIG.serve, names: ["fl.test"] } }),
    );
    const again = await serve(cwd, ["named.yaml", "--resume-or-start"]);
    alive.push(again.process);
    expect(readdirSync(join(cwd, "runs"))).toEqual([id]);
    expect(again.serving.joinToken).not.toBe(joinToken);
    expect(again.serving.operatorToken).toBe(operatorToken);
    const status = await fetch(`${again.serving.url}/v1/status`);
    expect(status.status).toBe(200);
    const asNamed = await new Promise<number | undefined>((resolve, reject) => {
      get(`${again.serving.url}/v1/status`, { headers: { host: "fl.test" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", reject);
    });
    expect(asNamed).toBe(200);
  });

  it("--resume-or-start passes over a run of one process", async () => {
    const cwd = folderWith({ ...CONFIG, round: { ...CONFIG.round, count: 5000 } });
    const simulated = spawnMurmur(["run", "config.yaml", "--format", "ndjson"], cwd);
    await new Promise<void>((resolve) => {
      simulated.stdout.setEncoding("utf8").on("data", (text: string) => {
        if (text.includes('"round.done"')) resolve();
      });
    });
    simulated.kill("SIGINT");
    await ended(simulated);
    const before = readdirSync(join(cwd, "runs"));
    const run = await startServe(cwd, ["--resume-or-start"]);
    expect(before).not.toContain(run.folder.split("/").at(-1));
  });

  it("says what is reachable once it is opened, and how devices elsewhere join", async () => {
    const cwd = folderWith();
    const child = spawnMurmur(["serve", "config.yaml", "--host", "0.0.0.0"], cwd);
    alive.push(child);
    const text = await new Promise<string>((resolve) => {
      let written = "";
      child.stderr.setEncoding("utf8").on("data", (more: string) => {
        written += more;
        if (written.includes("without --tls-cert") || written.includes("Without --tls-cert")) resolve(written);
      });
    });
    expect(text).toMatch(/open: whoever reaches 0\.0\.0\.0/);
    expect(text).toMatch(/enrolment \(with a/);
  });
});

describe("a store that fails under a coordinator", { timeout: 90_000 }, () => {
  it("while it waits for devices ends it with its name too", async () => {
    const cwd = folderWith();
    const run = await startServe(cwd);
    const joined = joinDevices(cwd, run.serving.url, "a", 2, POLICY);
    alive.push(joined.process);
    await run.events.next("fleet.presence", ({ p }) => p.waiting === 2);
    const intruder = openDatabase(join(run.folder, "run.db"));
    intruder.exec("BEGIN IMMEDIATE");
    // Somebody goes, which is told, and cannot be written down.
    joined.process.kill("SIGKILL");
    const { exitCode, stdout } = await run.ended;
    intruder.exec("ROLLBACK");
    intruder.close();
    expect({ exitCode, name: JSON.parse(stdout).name }).toEqual({ exitCode: 4, name: "store-locked" });
    expect(existsSync(join(run.folder, "serve.json"))).toBe(false);
  });

  it("as a locked database ends it with its name, and no committed round is lost", async () => {
    const cwd = folderWith({ ...CONFIG, round: { ...CONFIG.round, count: 500 } });
    const run = await startServe(cwd);
    const joined = joinDevices(cwd, run.serving.url, "a", 8, POLICY);
    alive.push(joined.process);
    await run.events.next("round.done");
    const intruder = openDatabase(join(run.folder, "run.db"));
    intruder.exec("BEGIN IMMEDIATE");
    const { exitCode, stdout } = await run.ended;
    intruder.exec("ROLLBACK");
    intruder.close();
    expect({ exitCode, name: JSON.parse(stdout).name }).toEqual({ exitCode: 4, name: "store-locked" });
    const done = run.events.all.filter(({ type }) => type === "round.done").length;
    const reader = openRunReader(run.folder);
    expect(reader.rounds().filter(({ outcome }) => outcome === "committed").length).toBeGreaterThanOrEqual(done);
    reader.close();
  });

  it.runIf(canMount())("as a full disk ends it with its name, and it goes on once there is room", async () => {
    const cwd = folderWith({ ...CONFIG, round: { ...CONFIG.round, count: 2_000 } });
    const disk = join(cwd, "runs");
    execFileSync("mkdir", [disk]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1536k", "tmpfs", disk]);
    try {
      const run = await startServe(cwd, ["--log", join(cwd, "log")]);
      const joined = joinDevices(cwd, run.serving.url, "a", 8, POLICY);
      alive.push(joined.process);
      const { exitCode, stdout } = await run.ended;
      expect({ exitCode, name: JSON.parse(stdout).name }).toEqual({ exitCode: 4, name: "disk-full" });
      execFileSync("mount", ["-o", "remount,size=64m", disk]);
      const before = committed(run.folder);
      const port = new URL(run.serving.url).port;
      const [id] = readdirSync(disk);
      const again = spawnMurmur(
        ["serve", "--resume", id, "--port", port, "--log", join(cwd, "log"), "--format", "ndjson"],
        cwd,
      );
      alive.push(again);
      await new Promise<void>((resolve) => {
        again.stdout.setEncoding("utf8").on("data", (text: string) => {
          if (text.includes('"round.done"')) resolve();
        });
      });
      again.kill("SIGTERM");
      await ended(again);
      expect(committed(run.folder).slice(0, before.length)).toEqual(before);
      expect(committed(run.folder).length).toBeGreaterThan(before.length);
    } finally {
      for (const process of alive.splice(0)) process.kill("SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 500));
      execFileSync("umount", ["-l", disk]);
    }
  });
});

function committed(folder: string): string[] {
  const reader = openRunReader(folder);
  try {
    return reader
      .rounds()
      .flatMap(({ outcome, round, modelHash }) => (outcome === "committed" ? [`${round} ${modelHash}`] : []));
  } finally {
    reader.close();
  }
}

/** Whether this process may mount a small file system of its own. */
function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), "murmur-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place], { stdio: "ignore" });
    execFileSync("umount", [place], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe("the operator's log", { timeout: 60_000 }, () => {
  it("says who came, who was lost and how rounds ended, and never a secret", async () => {
    const cwd = folderWith();
    const run = await startServe(cwd);
    const { joinToken, operatorToken } = run.serving;
    const joined = joinDevices(cwd, run.serving.url, "a", 8, POLICY);
    alive.push(joined.process);
    expect((await run.ended).exitCode).toBe(0);
    await joined.ended;
    const log = readFileSync(join(run.folder, "serve.log"), "utf8");
    const messages = new Set(
      log
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    );
    for (const said of ["listening", "device connected", "round committed", "run ended", "request"]) {
      expect(messages).toContain(said);
    }
    const seeds = readFileSync(join(cwd, "devices-a", "keys.ndjson"), "utf8").match(/[0-9a-f]{64}/g) ?? [];
    expect(seeds.length).toBeGreaterThanOrEqual(8);
    const events = readFileSync(join(run.folder, "events.ndjson"), "utf8");
    for (const secret of [joinToken, operatorToken, joinToken.slice(-43), operatorToken.slice(-43), ...seeds]) {
      expect(log.includes(secret)).toBe(false);
      expect(events.includes(secret)).toBe(false);
    }
    expect(readServeFile(run.folder)).toBeUndefined();
  });
});
