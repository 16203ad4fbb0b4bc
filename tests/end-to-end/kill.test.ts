import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fromHex } from "../../shared/crypto/bytes.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { ended, ensureBuilt, spawnMurmur } from "../cli/built-binary.ts";
import { fingerprints, liveAndDie, onDisk } from "./killed-process.ts";

const KILLS = 20;
const ROUNDS = 60;
const CONFIG = {
  seed: 7,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 20, dropout: 0.05 },
  // Devices that keep something between rounds have more to lose.
  algorithm: { kind: "scaffold" },
  round: { count: ROUNDS, cohort: 5, overSelection: 1.2, minCohort: 4, evaluateEvery: 10 },
  secagg: { minHonest: 2 },
};

const temporary = mkdtempSync(join(tmpdir(), "murmur-killed-"));

beforeAll(ensureBuilt);
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

it("kill -9, twenty times: no committed round is lost, no upload is used twice, the model is as good", async () => {
  writeFileSync(join(temporary, "run.yaml"), JSON.stringify(CONFIG));
  const random = seededRandom(1, "test-kill");
  const first = await liveAndDie(["run", "run.yaml"], temporary, { events: 100 });
  expect(first.signal).toBe("SIGKILL");
  const [id] = readdirSync(join(temporary, "runs"));
  const folder = join(temporary, "runs", id);
  let before = onDisk(folder);
  for (let life = 1; life < KILLS; life++) {
    // Every third dies while it is still starting, or just has.
    const death = life % 3 === 0 ? { milliseconds: random.below(900) } : { events: 1 + random.below(80) };
    const { signal, stderr } = await liveAndDie(["run", "--resume", id], temporary, death);
    expect({ life, signal, stderr }).toEqual({ life, signal: "SIGKILL", stderr: "" });
    const after = onDisk(folder);
    expect(fingerprints(after.committed).slice(0, before.committed.length)).toEqual(fingerprints(before.committed));
    expect(after.spent.slice(0, before.spent.length)).toEqual(before.spent);
    expect(after.events.slice(0, before.events.length)).toEqual(before.events);
    before = after;
  }
  expect(before.committed.length).toBeGreaterThan(3);
  expect(before.spent.length).toBeGreaterThan(before.committed.length);

  const last = await ended(spawnMurmur(["run", "--resume", id, "--format", "json", "--no-progress"], temporary));
  expect(last.stderr).toBe("");
  const result = JSON.parse(last.stdout);
  expect(result).toMatchObject({ status: "done", rounds: ROUNDS, secagg: { exact: true } });
  const { committed, spent, events } = onDisk(folder);
  expect(committed).toHaveLength(ROUNDS);
  expect(spent).toEqual(spent.map((_, i) => i + 1));
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));

  // A device's upload left once for a round, whatever was repeated.
  const uploads = readFileSync(join(folder, "fleet-journal.ndjson"), "utf8").trim().split("\n");
  const keys = uploads.map((line) => {
    const { device, round } = JSON.parse(line) as { device: string; round: string };
    expect(fromHex(round)).toHaveLength(16);
    return `${device} ${round}`;
  });
  expect(new Set(keys).size).toBe(keys.length);

  const plain = await ended(spawnMurmur(["run", "run.yaml", "--format", "json", "--no-progress", "-q"], temporary));
  expect(Math.abs(result.accuracy - JSON.parse(plain.stdout).accuracy)).toBeLessThan(0.05);
  const verified = await ended(spawnMurmur(["verify", id], temporary));
  expect({ code: verified.exitCode, text: verified.stdout }).toMatchObject({ code: 0 });
}, 240_000);
