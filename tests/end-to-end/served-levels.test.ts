import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ended, ensureBuilt, spawnMurmur } from "../cli/built-binary.ts";
import { joinDevices, serve } from "./served-run.ts";

const BLOBS = {
  seed: 5,
  population: "people",
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 20, dropout: 0 },
  round: { count: 2, cohort: 16, overSelection: 1.25, exchangeDeadline: "20s" },
  serve: { port: 0, selection: "10s" },
};

const temporary = mkdtempSync(join(tmpdir(), "murmur-levels-"));
const alive: { kill(signal: NodeJS.Signals): unknown }[] = [];

beforeAll(ensureBuilt);
afterEach(() => {
  for (const process of alive.splice(0)) process.kill("SIGKILL");
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function folderWith(config: object): string {
  const cwd = mkdtempSync(join(temporary, "in-"));
  writeFileSync(join(cwd, "config.yaml"), JSON.stringify(config));
  return cwd;
}

async function murmur(cwd: string, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ended(spawnMurmur(args, cwd));
  expect({ args, exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ args, exitCode: 0, stderr: "" });
  return stdout;
}

/** Keys of twenty devices, certified by the authority in `apart`: what `murmur join` needs to know of it. */
async function certify(cwd: string, name: string): Promise<string[]> {
  writeFileSync(
    join(cwd, "keys"),
    await murmur(cwd, ["device", "keys", "--data", `devices-${name}`, "--devices", "20"]),
  );
  const terms = ["--authority", "apart", "--population", "people", "--expires", "1d"];
  writeFileSync(join(cwd, "certificates"), await murmur(cwd, ["authority", "certify", "keys", ...terms]));
  return ["--authority", "apart/authority.pub", "--certificates", "certificates"];
}

describe("active-server over sockets", { timeout: 120_000 }, () => {
  it("lets in devices that the authority has certified, and no others; each uploads once for a model", async () => {
    const cwd = folderWith({ ...BLOBS, secagg: { level: "active-server", authority: "coordinator" } });
    // The authority is made apart; the coordinator gets its public key, and nothing else.
    await murmur(cwd, ["authority", "init", "apart"]);
    mkdirSync(join(cwd, "coordinator"));
    copyFileSync(join(cwd, "apart", "authority.pub"), join(cwd, "coordinator", "authority.pub"));
    const pinned = await certify(cwd, "certified");

    const run = await serve(cwd, ["config.yaml"]);
    alive.push(run.process);
    const { url } = run.serving;
    const stranger = joinDevices(cwd, url, "stranger", 1);
    alive.push(stranger.process);
    const refused = await stranger.ended;
    expect({ exitCode: refused.exitCode, name: JSON.parse(refused.stdout).name }).toEqual({
      exitCode: 4,
      name: "device-uncertified",
    });

    const joined = joinDevices(cwd, url, "certified", 20, pinned);
    alive.push(joined.process);
    const { exitCode, stdout } = await run.ended;
    expect({ exitCode, result: JSON.parse(stdout) }).toMatchObject({
      exitCode: 0,
      result: { status: "done", rounds: 2, secagg: { level: "active-server", claim: "active" } },
    });
    expect((await joined.ended).exitCode).toBe(0);
    // No warning: the private key was never beside the coordinator.
    expect(readFileSync(join(run.folder, "serve.log"), "utf8")).not.toContain("private key");
  });

  it("warns of an authority's private key beside the coordinator", async () => {
    const cwd = folderWith({ ...BLOBS, secagg: { level: "active-server", authority: "apart" } });
    await murmur(cwd, ["authority", "init", "apart"]);
    const run = await serve(cwd, ["config.yaml"]);
    alive.push(run.process);
    const warning = await run.events.next("log");
    expect(warning.p).toMatchObject({ level: "warn", text: expect.stringContaining("active-server claims nothing") });
  });

  it("is not what a device without a pinned authority takes part in, nor the other way round", async () => {
    const cwd = folderWith(BLOBS);
    const run = await serve(cwd, ["config.yaml"]);
    alive.push(run.process);
    await murmur(cwd, ["authority", "init", "apart"]);
    const pinned = await certify(cwd, "pinned");
    alive.push(joinDevices(cwd, run.serving.url, "pinned", 20, pinned).process);
    const lost = await run.events.next("device.lost");
    expect(lost.p).toMatchObject({ reason: "declined", detail: "policy" });
    const abandoned = await run.events.next("round.abandoned");
    expect(abandoned.p.reason).toBe("below-quorum");
  });
});

describe("a model of more than a mebibyte", { timeout: 180_000 }, () => {
  it("is fetched by its hash, and its updates come in pieces, a few at a time", async () => {
    const config = {
      ...BLOBS,
      task: { dataset: "mnist", model: "cnn", partition: { kind: "iid" } },
      fleet: { devices: 1500, dropout: 0 },
      round: { count: 1, cohort: 5, overSelection: 1.2, minCohort: 4, deadline: "90s", exchangeDeadline: "60s" },
      secagg: { minHonest: 2 },
      serve: { port: 0, selection: "3s" },
    };
    const cwd = folderWith(config);
    const run = await serve(cwd, ["config.yaml"]);
    alive.push(run.process);
    const joined = joinDevices(cwd, run.serving.url, "a", 6, ["--min-cohort", "4", "--min-honest", "2"]);
    alive.push(joined.process);
    const { exitCode, stdout } = await run.ended;
    const result = JSON.parse(stdout);
    expect({ exitCode, result }).toMatchObject({ exitCode: 0, result: { status: "done", rounds: 1 } });
    const modelBytes = 4 * 1_663_370;
    expect(result.bytes.downPerDevice).toBeGreaterThan(modelBytes);
    expect(result.bytes.downPerDevice).toBeLessThan(modelBytes + 20_000);
    expect(result.bytes.upPerDevice).toBeGreaterThan(3 << 20);
    expect((await joined.ended).exitCode).toBe(0);
    const requests = readFileSync(join(run.folder, "serve.log"), "utf8")
      .split("\n")
      .filter((line) => line.includes("/v1/models/"));
    expect(requests.length).toBeGreaterThan(0);
    expect(await murmur(cwd, ["verify", run.folder])).toContain("bit for bit");
  });
});

describe("over TLS", { timeout: 60_000 }, () => {
  it("devices join an https address whose certificate they can check, and no other", async () => {
    const cwd = folderWith({ ...BLOBS, round: { ...BLOBS.round, count: 1 } });
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "2",
        ...subject,
      ],
      { cwd, stdio: "ignore" },
    );
    const run = await serve(
      cwd,
      ["config.yaml", "--tls-cert", "cert.pem", "--tls-key", "key.pem"],
      join(cwd, "cert.pem"),
    );
    alive.push(run.process);
    expect(run.serving.url).toMatch(/^https:/);
    const wary = joinDevices(cwd, run.serving.url, "wary", 1);
    alive.push(wary.process);
    const trusting = joinDevices(cwd, run.serving.url, "trusting", 20, [], {
      NODE_EXTRA_CA_CERTS: join(cwd, "cert.pem"),
    });
    alive.push(trusting.process);
    const { exitCode, stdout } = await run.ended;
    expect({ exitCode, rounds: JSON.parse(stdout).rounds }).toEqual({ exitCode: 0, rounds: 1 });
    expect((await trusting.ended).exitCode).toBe(0);
    wary.process.kill("SIGTERM");
    expect(JSON.parse((await wary.ended).stdout)).toMatchObject({ rounds: 0, uploads: 0 });
  });
});
