import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { readServeFile } from "../../simulations/experiments/serve-file.ts";
import { ended, ensureBuilt, spawnMurmur } from "../cli/built-binary.ts";
import { fingerprints, liveAndDie, onDisk } from "./killed-process.ts";
import { joinDevices } from "./served-run.ts";

const KILLS = 20;
const ROUNDS = 40;
const DEVICES = 12;
const CONFIG = {
  seed: 7,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: DEVICES, dropout: 0 },
  // Devices may see a round to its end that the coordinator loses: what they keep of it must not count.
  algorithm: { kind: "scaffold" },
  round: { count: ROUNDS, cohort: 6, overSelection: 1.3, minCohort: 4, exchangeDeadline: "20s", evaluateEvery: 10 },
  secagg: { minHonest: 2 },
  serve: { selection: "20s" },
};

const temporary = mkdtempSync(join(tmpdir(), "murmur-coordinator-killed-"));

beforeAll(ensureBuilt);
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

it("kill -9 of the coordinator, twenty times, while the devices stay up: no committed round is lost", async () => {
  writeFileSync(join(temporary, "serve.yaml"), JSON.stringify(CONFIG));
  const port = String(await freePort());
  const random = seededRandom(2, "test-kill");
  // The devices are started by hand once there is a coordinator to join, and never again.
  const first = liveAndDie(["serve", "serve.yaml", "--port", port], temporary, { events: 60 });
  const serving = await waitForServing();
  const policy = ["--min-cohort", "4", "--min-honest", "2"];
  const joined = joinDevices(temporary, serving.url, "fleet", DEVICES, policy);
  expect((await first).signal).toBe("SIGKILL");
  const [id] = readdirSync(join(temporary, "runs"));
  const folder = join(temporary, "runs", id);
  let before = onDisk(folder);
  for (let life = 1; life < KILLS; life++) {
    // Every third dies while it is still starting, or just has.
    const death = life % 3 === 0 ? { milliseconds: random.below(3_000) } : { events: 1 + random.below(60) };
    const { signal, stderr } = await liveAndDie(["serve", "--resume", id, "--port", port], temporary, death);
    expect({ life, signal, stderr }).toEqual({ life, signal: "SIGKILL", stderr: "" });
    const after = onDisk(folder);
    expect(fingerprints(after.committed).slice(0, before.committed.length)).toEqual(fingerprints(before.committed));
    expect(after.spent.slice(0, before.spent.length)).toEqual(before.spent);
    expect(after.events.slice(0, before.events.length)).toEqual(before.events);
    before = after;
  }
  expect(before.committed.length).toBeGreaterThan(3);
  expect(before.spent.length).toBeGreaterThan(before.committed.length);

  const last = await ended(spawnMurmur(["serve", "--resume", id, "--port", port, "--format", "json", "-q"], temporary));
  expect({ exitCode: last.exitCode, stderr: last.stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(JSON.parse(last.stdout)).toMatchObject({ status: "done", rounds: ROUNDS });
  const { committed, spent, events } = onDisk(folder);
  expect(committed).toHaveLength(ROUNDS);
  expect(spent).toEqual(spent.map((_, i) => i + 1));
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));

  // The same process of devices was there all the time, and hears that it is over.
  const fleet = await joined.ended;
  expect({ exitCode: fleet.exitCode, status: JSON.parse(fleet.stdout).status }).toEqual({
    exitCode: 0,
    status: "finished",
  });

  // A device's upload left once for a round, whatever was repeated.
  const uploads = readFileSync(join(temporary, "devices-fleet", "uploads.ndjson"), "utf8")
    .trim()
    .split("\n");
  const keys = uploads.map((line) => {
    const { device, task, round } = JSON.parse(line) as Record<string, string>;
    expect([device, task, round].every((field) => typeof field === "string" && field.length > 0)).toBe(true);
    return `${device} ${task} ${round}`;
  });
  expect(keys.length).toBeGreaterThanOrEqual(ROUNDS * 4);
  expect(new Set(keys).size).toBe(keys.length);

  const verified = await ended(spawnMurmur(["verify", id], temporary));
  expect({ code: verified.exitCode, text: verified.stdout }).toMatchObject({ code: 0 });
}, 400_000);

async function waitForServing() {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (Date.now() > deadline) throw new Error("serve does not listen");
    try {
      const [id] = readdirSync(join(temporary, "runs"));
      const serving = readServeFile(join(temporary, "runs", id));
      if (serving !== undefined) return serving;
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
