import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRunReader } from "../../../server/store/run-reader.ts";
import type { EventOf } from "../../../shared/protocol/events.ts";
import type { FleetSetting, TrainingJob } from "../../../simulations/fleet/training/fleet-trainer.ts";
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

  it("learns the same where cryptography is accounted: its messages take the time that they would", async () => {
    const counted = await playRun(phones({ secagg: { fidelity: "accounted" } }));
    expect(weightsOf(counted)).toEqual(weightsOf(played));
    expect(courseOf(counted)).toEqual(courseOf(played));
    expect(counted.result.bytes).toEqual(played.result.bytes);
  });

  it.each(["accounted", "off"] as const)("claims no protection where cryptography is %s", async (fidelity) => {
    const { result, events } = await playRun(phones({ secagg: { fidelity }, round: { count: 1 } }));
    const nothing = { level: "none", exact: null, graph: null, degree: null, threshold: null, claim: null };
    expect(result.secagg).toMatchObject({ fidelity, ...nothing });
    const started = events.find((event) => event.type === "run.started");
    const stamps = [`CRYPTO-${fidelity.toUpperCase()}`];
    expect(started?.p.summary).toMatchObject({ fidelity, protection: "none", stamps });
    expect(started?.p.summary).not.toHaveProperty("secagg");
  });

  it("loses a slow upload, a late word and a failed download alike, masked and counted", async () => {
    // A network on which uploads of the 2NN often take longer than an exchange may, and training than is reported in.
    const slow = {
      task: { model: "2nn", partition: { kind: "drawn", perDevice: 40 } },
      fleet: { devices: 400, phones: { network: "lte", availability: "always", reporting: "3s" } },
      round: { count: 3, cohort: 6, overSelection: 2.5, minCohort: 4, exchangeDeadline: "3s", closeAt: "all" },
    } as const;
    const masked = await playRun(smallConfig(slow));
    const counted = await playRun(smallConfig({ ...slow, secagg: { fidelity: "accounted" } }));
    expect(weightsOf(counted)).toEqual(weightsOf(masked));
    expect(courseOf(counted)).toEqual(courseOf(masked));
    expect(masked.result.drops.deadline).toBeGreaterThan(3);
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
    const watched: Watched = { begun: new Map(), trained: new Map(), parameters: new Map() };
    const config = phones({ round: { overSelection: 2 }, secagg: { fidelity: "accounted" } });
    const run = await playRun(config, { createPool: (setting) => watchedPool(setting, watched) });
    const survivors = new Map<number, string[]>();
    for (const event of run.events) {
      if (event.type !== "device.state" || event.round === undefined) continue;
      const summed = event.p.changes.filter(([, state]) => state === "summed").map(([id]) => id);
      if (summed.length > 0) survivors.set(event.round, summed);
    }
    expect(survivors.size).toBe(4);
    for (const [round, devices] of survivors) {
      expect(
        watched.begun
          .get(round)
          ?.map(({ name }) => String(name))
          .sort(),
      ).toEqual(devices.sort());
      expect(
        watched.trained
          .get(round)
          ?.map(({ name }) => String(name))
          .sort(),
      ).toEqual(devices);
    }
    expect(roundsOf(run).some(({ drops }) => (drops["over-selected"] ?? 0) > 0)).toBe(true);
  });

  it("waits for the night where few are there by day", async () => {
    const noon = phones({ fleet: { devices: 30, phones: { startsAt: "12h", pace: "1s" } }, round: { count: 1 } });
    const [round] = roundsOf(await playRun(noon));
    // Six of thirty are not there at one time before the afternoon.
    expect(round.virtual?.at).toBeGreaterThan(15 * 3_600_000);
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

  it("begin each device at the model that it was given when it came, and weigh it by its age", async () => {
    const watched: Watched = { begun: new Map(), trained: new Map(), parameters: new Map() };
    const { folder } = await playRun(buffered(), { createPool: (setting) => watchedPool(setting, watched) });
    const models = [...watched.parameters.values()];
    const jobs = [...watched.begun].flatMap(([round, begun]) => begun.map((job) => ({ round, job })));
    const ages = jobs.map(({ job }) => job.earlier?.staleness ?? 0);
    expect(Math.max(...ages)).toBeGreaterThan(1);
    for (const { round, job } of jobs) {
      if (job.earlier === undefined) continue;
      const { parameters, staleness } = job.earlier;
      expect([...parameters]).toEqual([...models[round - 1 - staleness]]);
    }
    // The sum is that of what the devices trained, each from its own model and by 1 / sqrt(1 + its age).
    expect(readFileSync(join(folder, "model.f32"))).toEqual(weightsOf(played));
  });

  it("have a clock that never goes back", () => {
    const rounds = roundsOf(played).map(({ virtual }) => virtual);
    for (const [i, round] of rounds.slice(1).entries()) {
      expect(round?.at).toBeGreaterThanOrEqual((rounds[i]?.at ?? 0) + (rounds[i]?.elapsed ?? 0));
    }
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

/** By round: whom a pool was given at the beginning, whom it trained, and the model that the round is on. */
interface Watched {
  readonly begun: Map<number, readonly TrainingJob[]>;
  readonly trained: Map<number, readonly TrainingJob[]>;
  readonly parameters: Map<number, Float32Array>;
}

async function watchedPool(setting: FleetSetting, { begun, trained, parameters }: Watched): Promise<TrainingPool> {
  const pool = await createLocalPool(setting);
  return {
    ...pool,
    begin(work, jobs, terms) {
      begun.set(work.round, jobs);
      parameters.set(work.round, work.parameters.slice());
      const training = pool.begin(work, jobs, terms);
      return {
        ...training,
        trained(job) {
          trained.set(work.round, [...(trained.get(work.round) ?? []), job]);
          return training.trained(job);
        },
      };
    },
  };
}
