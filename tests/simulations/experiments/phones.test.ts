import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRunReader } from "../../../server/store/run-reader.ts";
import type { EventOf } from "../../../shared/protocol/events.ts";
import type { FleetSetting } from "../../../simulations/fleet/training/fleet-trainer.ts";
import { createLocalPool, type TrainingPool } from "../../../simulations/fleet/training/training-pool.ts";
import { type PlayedRun, type PlayOptions, playRun, smallConfig, temporaryFolder, verify } from "./run-fixtures.ts";

type Changes = NonNullable<Parameters<typeof smallConfig>[0]>;

/** Phones that train on forty examples each, for whichever hour it is. */
function phones(changes: Changes = {}) {
  return smallConfig({
    ...changes,
    task: { partition: { kind: "drawn", perDevice: 40 } },
    fleet: { devices: 400, phones: {}, ...changes.fleet },
    round: { count: 4, closeAt: "goal", ...changes.round },
  });
}

function roundsOf({ events }: PlayedRun): EventOf<"round.done">["p"][] {
  return events.flatMap((event) => (event.type === "round.done" ? [event.p] : []));
}

function weightsOf({ folder }: PlayedRun): Buffer {
  return readFileSync(join(folder, "model.f32"));
}

/** What happened, without what the host's clock says of it. */
function courseOf(played: PlayedRun) {
  return roundsOf(played).map(({ round, acc, loss, cohort, lost, drops, virtual }) => {
    return { round, acc, loss, cohort, lost, drops, virtual };
  });
}

const stopAfter = (round: number): PlayOptions => ({
  onEvent: (event) => (event.type === "round.done" && event.p.round === round ? "after-round" : undefined),
});

const stopWithin = (round: number, stage: string): PlayOptions => ({
  onEvent: (event) =>
    event.type === "round.stage" && event.round === round && event.p.stage === stage ? "now" : undefined,
});

/** Folders of runs that several tests look at. */
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => void rmSync(folder, { recursive: true, force: true })));
function mkFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-run-"));
  folders.push(folder);
  return folder;
}

describe("a fleet of phones", () => {
  let played: PlayedRun;
  beforeAll(async () => {
    played = await playRun(phones(), { folder: join(mkFolder(), "run") });
  });

  it("has rounds one after another in virtual time, which the record keeps", () => {
    const virtual = roundsOf(played).map((round) => round.virtual);
    let before = 20 * 3_600_000;
    for (const round of virtual) {
      expect(round?.at).toBeGreaterThanOrEqual(before);
      expect(round?.elapsed).toBeGreaterThan(500);
      before = (round?.at ?? 0) + (round?.elapsed ?? 0);
    }
    const records = openRunReader(played.folder).rounds();
    expect(records.map((record) => record.virtual)).toEqual(virtual);
    const [first, last] = [virtual[0], virtual[3]];
    const seconds = ((last?.at ?? 0) + (last?.elapsed ?? 0) - (first?.at ?? 0)) / 1000;
    expect(played.result.virtualSeconds).toBeCloseTo(seconds, 6);
  });

  it("takes no more virtual time on a slow host, and happens as it did before", async () => {
    const slow = await playRun(phones(), { breathe: () => new Promise((resolve) => setTimeout(resolve, 3)) });
    expect(courseOf(slow)).toEqual(courseOf(played));
    expect(weightsOf(slow)).toEqual(weightsOf(played));
  });

  it.each(["accounted", "off"] as const)("learns the same where cryptography is %s", async (fidelity) => {
    const counted = await playRun(phones({ secagg: { fidelity } }));
    expect(weightsOf(counted)).toEqual(weightsOf(played));
    expect(counted.result.secagg).toMatchObject({ fidelity, level: "none", exact: null });
    const started = counted.events.find((event) => event.type === "run.started");
    expect(started?.p.summary).toMatchObject({ fidelity, stamps: [`CRYPTO-${fidelity.toUpperCase()}`] });
    if (fidelity !== "accounted") return;
    // Every message is charged as it is sent, so that the fleet's clock cannot tell the difference either.
    expect(courseOf(counted)).toEqual(courseOf(played));
    expect(counted.result.bytes).toEqual(played.result.bytes);
  });

  it("goes on after a stop as if there had been none", async () => {
    const folder = join(temporaryFolder(), "run");
    await playRun(phones(), { folder, ...stopAfter(2) });
    const rest = await playRun(phones(), { folder, resume: true });
    expect(courseOf(rest)).toEqual(courseOf(played).slice(2));
    expect(weightsOf(rest)).toEqual(weightsOf(played));
  });

  it("can be verified, also when a round was interrupted", async () => {
    expect(await verify(played.folder)).toMatchObject({ matches: true, rounds: 4 });
    const folder = join(temporaryFolder(), "run");
    await playRun(phones(), { folder, ...stopWithin(2, "mask") });
    await playRun(phones(), { folder, resume: true });
    expect(await verify(folder)).toMatchObject({ matches: true, rounds: 4 });
  });

  it("trains the devices whose update is in a sum, and no other", async () => {
    const trained = new Map<number, string[]>();
    const config = phones({ round: { overSelection: 2 } });
    const run = await playRun(config, { createPool: (setting) => watchedPool(setting, trained) });
    const survivors = new Map<number, string[]>();
    for (const event of run.events) {
      if (event.type !== "device.state" || event.round === undefined) continue;
      const summed = event.p.changes.filter(([, state]) => state === "summed").map(([id]) => id);
      if (summed.length > 0) survivors.set(event.round, summed);
    }
    expect(survivors.size).toBe(4);
    for (const [round, devices] of survivors) expect([...(trained.get(round) ?? [])].sort()).toEqual(devices.sort());
    expect(roundsOf(run).some(({ drops }) => (drops["over-selected"] ?? 0) > 0)).toBe(true);
  });

  it("waits for the night where few are there by day", async () => {
    const noon = phones({ fleet: { devices: 30, phones: { startsAt: "12h", pace: "1s" } }, round: { count: 1 } });
    const [round] = roundsOf(await playRun(noon));
    expect(round.virtual?.at).toBeGreaterThan(12 * 3_600_000);
  });
});

describe("buffered rounds", () => {
  const buffered = (changes: Changes = {}) =>
    phones({ ...changes, round: { count: 5, buffered: { concurrency: 20, maxStaleness: 8 }, ...changes.round } });
  let played: PlayedRun;
  beforeAll(async () => {
    played = await playRun(buffered(), { folder: join(mkFolder(), "run") });
  });

  it("mask the updates of as many devices as wait, of models that newer ones have replaced", () => {
    expect(roundsOf(played).map(({ cohort }) => cohort)).toEqual([6, 6, 6, 6, 6]);
    expect(played.result.secagg).toMatchObject({ exact: true, level: "curious-server" });
  });

  it("depend on the age of updates: a fleet that never overlaps learns something else", async () => {
    const fresh = await playRun(buffered({ round: { buffered: { concurrency: 6, maxStaleness: 0 } } }));
    expect(weightsOf(fresh)).not.toEqual(weightsOf(played));
  });

  it("learn the same where cryptography is accounted", async () => {
    const counted = await playRun(buffered({ secagg: { fidelity: "accounted" } }));
    expect(weightsOf(counted)).toEqual(weightsOf(played));
    expect(courseOf(counted)).toEqual(courseOf(played));
  });

  it("go on after a stop as if there had been none: the earlier models are in the checkpoint", async () => {
    const folder = join(temporaryFolder(), "run");
    await playRun(buffered(), { folder, ...stopAfter(3) });
    const rest = await playRun(buffered(), { folder, resume: true });
    expect(courseOf(rest)).toEqual(courseOf(played).slice(3));
    expect(weightsOf(rest)).toEqual(weightsOf(played));
    expect(await verify(folder)).toMatchObject({ matches: true, rounds: 5 });
  });
});

/** A pool that writes down whom it trains in which round. */
async function watchedPool(setting: FleetSetting, trained: Map<number, string[]>): Promise<TrainingPool> {
  const pool = await createLocalPool(setting);
  return {
    ...pool,
    begin(work, jobs, terms) {
      const training = pool.begin(work, jobs, terms);
      return {
        ...training,
        trained(job) {
          trained.set(work.round, [...(trained.get(work.round) ?? []), job.name]);
          return training.trained(job);
        },
      };
    },
  };
}
