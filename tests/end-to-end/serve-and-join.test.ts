import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openRunReader } from "../../server/store/run-reader.ts";
import { ended, ensureBuilt, spawnMurmur } from "../cli/built-binary.ts";
import { joinDevices, type ServedRun, serve } from "./served-run.ts";

/** The quick start over sockets: MNIST, a hundred devices, 26 invited for a cohort of 20. */
const CONFIG = {
  seed: 11,
  task: { dataset: "mnist", model: "2nn", partition: { kind: "iid" } },
  fleet: { devices: 100, dropout: 0 },
  round: { count: 6, cohort: 20, overSelection: 1.3, minCohort: 16, deadline: "30s", exchangeDeadline: "20s" },
  serve: { selection: "3s", port: 0 },
} as const;

const temporary = mkdtempSync(join(tmpdir(), "murmur-served-"));
const alive: { kill(signal: NodeJS.Signals): unknown }[] = [];

beforeAll(ensureBuilt);
afterEach(() => {
  for (const process of alive.splice(0)) process.kill("SIGKILL");
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function folderWith(name: string, config: object): string {
  const cwd = mkdtempSync(join(temporary, `${name}-`));
  writeFileSync(join(cwd, "config.yaml"), JSON.stringify(config));
  return cwd;
}

async function startServe(cwd: string): Promise<ServedRun> {
  const run = await serve(cwd, ["config.yaml"]);
  alive.push(run.process);
  return run;
}

function startJoin(cwd: string, run: ServedRun, name: string, devices: number) {
  const joined = joinDevices(cwd, run.serving.url, name, devices);
  alive.push(joined.process);
  return joined;
}

interface InProcess {
  readonly accuracy: number;
  readonly modelHash: string;
  readonly rounds: number;
  readonly drops: Readonly<Record<string, number>>;
}

async function inProcess(config: object, ...args: readonly string[]): Promise<InProcess> {
  const cwd = folderWith("in-process", config);
  const run = spawnMurmur(["run", "config.yaml", "--format", "json", "-q", ...args], cwd);
  const { stdout, exitCode, stderr } = await ended(run);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("a coordinator and three processes of 45, 45 and 10 devices", { timeout: 240_000 }, () => {
  it("goes on when processes are killed, abandons a round that lost too many, and starts none with too few", async () => {
    const cwd = folderWith("killed", CONFIG);
    const run = await startServe(cwd);
    const { events } = run;
    // Alone at first, so that it is known which places its devices have.
    const third = startJoin(cwd, run, "third", 10);
    await events.next("fleet.presence", ({ p }) => p.connected === 10);
    const inThird = new Set(Array.from({ length: 10 }, (_, i) => `d-000${i}`));
    const first = startJoin(cwd, run, "first", 45);
    const second = startJoin(cwd, run, "second", 45);

    // In the middle of a round that one of the ten is in, they are gone.
    await events.next("round.done");
    const hit = await events.next("device.state", ({ p }) =>
      p.changes.some(([id, state]) => state === "selected" && inThird.has(id)),
    );
    await events.next("round.stage", ({ p, round }) => round === hit.round && p.stage === "train");
    third.process.kill("SIGKILL");
    const lost = await events.next("device.lost", ({ round }) => round === hit.round);
    expect(lost.p.reason).toBe("disconnected");
    const survived = await events.next("round.done");
    expect(survived.round).toBe(hit.round);
    expect(survived.p.cohort).toBeGreaterThanOrEqual(16);

    // The ten come back: the same devices, in a new process.
    const back = startJoin(cwd, run, "third", 10);
    await events.next("round.done");

    // Between exchanges 1 and 2 both large processes are gone.
    const doomed = await events.next("round.stage", ({ p }) => p.stage === "mask");
    first.process.kill("SIGKILL");
    second.process.kill("SIGKILL");
    const abandoned = await events.next("round.abandoned");
    expect(abandoned).toMatchObject({ round: doomed.round, p: { reason: "below-quorum", stage: "mask", need: 16 } });
    expect(abandoned.p.have).toBeLessThan(16);

    // Ten are left, and no round begins with them.
    await events.next("fleet.presence", ({ p }) => p.connected === 10 && p.waiting === 10);
    const before = events.all.length;
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(events.all.slice(before).filter(({ type }) => type === "round.started")).toEqual([]);

    // A new process of 45, with other keys, and the rounds go on to the end.
    const fourth = startJoin(cwd, run, "fourth", 45);
    const finished = await run.ended;
    const result = JSON.parse(finished.stdout);
    expect({ exitCode: finished.exitCode, status: result.status, rounds: result.rounds }).toEqual({
      exitCode: 0,
      status: "done",
      rounds: CONFIG.round.count,
    });
    expect(result.secagg).toMatchObject({ abandoned: 1, exact: null, level: "curious-server" });
    const plain = await inProcess(CONFIG);
    expect(Math.abs(result.accuracy - plain.accuracy)).toBeLessThan(0.02);

    // Those who are left hear that it is over, and end by themselves.
    for (const joined of [back, fourth]) {
      const { exitCode, stdout } = await joined.ended;
      expect({ exitCode, status: JSON.parse(stdout).status }).toEqual({ exitCode: 0, status: "finished" });
    }
    expect((await third.ended).signal).toBe("SIGKILL");
    const reader = openRunReader(run.folder);
    const drops = reader.rounds().flatMap((record) => Object.keys(record.drops));
    reader.close();
    expect(new Set(drops)).toEqual(new Set(["disconnected"]));
    const verified = await ended(spawnMurmur(["verify", run.folder], cwd));
    expect({ code: verified.exitCode, text: verified.stdout }).toMatchObject({ code: 0 });
  });
});

describe("the same seed and configuration", { timeout: 240_000 }, () => {
  // Seed 3 draws devices that close and devices that fall silent, before and after their upload.
  const config = {
    ...CONFIG,
    seed: 3,
    task: { dataset: "blobs", model: "softmax", partition: { kind: "shards", perDevice: 2 } },
    fleet: { devices: 40, dropout: 0.15 },
    // What devices keep between rounds is the same too, whoever of them is lost.
    algorithm: { kind: "scaffold" },
    round: {
      ...CONFIG.round,
      count: 4,
      cohort: 16,
      overSelection: 1.25,
      minCohort: 12,
      exchangeDeadline: "4s",
      deadline: "8s",
    },
    secagg: { minHonest: 5 },
  };
  const policy = ["--min-cohort", "12"];

  async function served(processes: readonly number[]) {
    const cwd = folderWith(`served-${processes.length}`, config);
    const run = await startServe(cwd);
    const joined = processes.map((devices, i) => {
      const one = joinDevices(cwd, run.serving.url, String(i), devices, policy);
      alive.push(one.process);
      return one;
    });
    const { exitCode, stdout } = await run.ended;
    expect(exitCode).toBe(0);
    for (const one of joined) expect((await one.ended).exitCode).toBe(0);
    return { result: JSON.parse(stdout), drops: JSON.parse(stdout).drops };
  }

  it("gives the same parameters in one process on 1, 2 and 4 threads, and over sockets with one and with three", async () => {
    const plain = await inProcess(config, "--workers", "1");
    for (const workers of ["2", "4"]) {
      const { modelHash, drops, rounds } = await inProcess(config, "--workers", workers);
      expect({ modelHash, drops, rounds }).toEqual({ modelHash: plain.modelHash, drops: plain.drops, rounds: 4 });
    }
    const one = await served([40]);
    const three = await served([17, 17, 6]);
    expect(one.result).toMatchObject({ rounds: 4, modelHash: plain.modelHash, status: "done" });
    expect(three.result).toMatchObject({ rounds: 4, modelHash: plain.modelHash, status: "done" });
    expect(one.drops).toEqual(three.drops);
    // The draw had both kinds of losses, or this would show little.
    expect(one.drops.disconnected).toBeGreaterThan(0);
    expect(one.drops.deadline).toBeGreaterThan(0);
  });
});
