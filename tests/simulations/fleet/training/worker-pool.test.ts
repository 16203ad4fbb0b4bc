import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelFor } from "../../../../shared/learning/models/index.ts";
import { initialParameters } from "../../../../shared/learning/models/model-parameters.ts";
import { MurmurError } from "../../../../shared/protocol/errors.ts";
import type { RunEvent } from "../../../../shared/protocol/events.ts";
import { simulatedDeviceName } from "../../../../shared/protocol/ids.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import { loadDataset } from "../../../../simulations/datasets/index.ts";
import type { FleetSetting, RoundWork, TrainingJob } from "../../../../simulations/fleet/training/fleet-trainer.ts";
import {
  type CreatePool,
  createLocalPool,
  type RoundTraining,
  type SummingTerms,
  type TrainingPool,
} from "../../../../simulations/fleet/training/training-pool.ts";
import { createWorkerPool } from "../../../../simulations/fleet/training/worker-pool.ts";
import { sessionAgreement } from "../../../bench/session-inputs.ts";
import { BINARY, ensureBuilt } from "../../../cli/built-binary.ts";
import { playRun, smallConfig } from "../../experiments/run-fixtures.ts";

// A thread's program has to be JavaScript: the compiled one is run.
const PROGRAM = pathToFileURL(join(dirname(BINARY), "..", "simulations", "fleet", "training", "training-worker.js"));
const onThreads =
  (workers: number, program = PROGRAM): CreatePool =>
  (setting) =>
    createWorkerPool(setting, workers, program);

const SEED = 42;
const DEVICES = 30;
const PARTITION = { kind: "quantity", sigma: 1 } as const;
const dataset = await loadDataset("blobs", SEED);
/** Of the pool's own tests, and of the runs below. */
const SETTING: FleetSetting = {
  engine: "onnx",
  model: "softmax",
  dataset,
  devices: DEVICES,
  partition: PARTITION,
  seed: SEED,
};
const parameters = initialParameters(modelFor("softmax", dataset), seededRandom(7, "parameters"));
const WORK: RoundWork = { round: 3, parameters, task: { epochs: 1, batchSize: 10, learningRate: 0.1 } };
const agreement = sessionAgreement(DEVICES, parameters.length);
const TERMS: SummingTerms = {
  ...agreement,
  dimension: parameters.length + agreement.slots.slots.length,
  transforms: ["weight:examples:5000", "quantise:16:1"],
};
const job = (index: number): TrainingJob => ({ index, name: simulatedDeviceName(index, DEVICES) });
const jobs = (...indices: readonly number[]) => indices.map(job);
const SOME = Array.from({ length: 12 }, (_, i) => i);

/** Threads that this process has started and that have not ended. */
const alive = new Set<Worker>();
const watch = (worker: Worker) => {
  alive.add(worker);
  worker.once("exit", () => alive.delete(worker));
};

/** By number of threads; 0: in this thread. Starting one takes a second of CPU time, so that the tests share them. */
const pools = new Map<number, TrainingPool>();
const pool = (workers: number): TrainingPool => {
  const found = pools.get(workers);
  if (found === undefined) throw new Error(`there is no pool of ${workers}`);
  return found;
};

beforeAll(async () => {
  ensureBuilt();
  process.on("worker", watch);
  pools.set(0, await createLocalPool(SETTING));
  for (const workers of [1, 2, 4]) pools.set(workers, await onThreads(workers)(SETTING));
});

afterAll(async () => {
  await Promise.all([...pools.values()].map((each) => each.dispose()));
  expect(alive.size).toBe(0);
  process.off("worker", watch);
});

/** The plain sum of the devices' updates, computed in this thread. */
async function localSum(devices: readonly number[]): Promise<Int32Array> {
  const round = pool(0).begin(WORK, jobs(...devices), TERMS);
  for (const device of devices) await round.trained(job(device));
  return sumOf(round, devices);
}

/** The sum, if it is over these devices and no other. */
async function sumOf(round: RoundTraining, devices: readonly number[]): Promise<Int32Array> {
  expect([...(await round.summed())].sort((a, b) => a - b)).toEqual([...devices].sort((a, b) => a - b));
  return round.sum();
}

const settled = (round: RoundTraining, devices: readonly number[]) =>
  Promise.allSettled(devices.map((device) => round.trained(job(device))));
const reasonOf = (result: PromiseSettledResult<unknown>) =>
  result.status === "rejected" ? String(result.reason.message) : "trained";

describe("a run is the same, byte for byte, on 1, 2 and 4 threads and without any", () => {
  // Uneven devices, of which some are lost at some stage.
  const common = { fleet: { dropout: 0.25 }, task: { partition: PARTITION }, round: { count: 2 } } as const;
  // With real cryptography devices get their results back; without, all but SCAFFOLD's are added up on the threads.
  const cases = [
    ["fedavg", "real"],
    ["fedavg", "off"],
    ["fedprox", "off"],
    ["scaffold", "off"],
  ] as const;

  it.each(cases)("%s, cryptography %s", async (kind, fidelity) => {
    const config = smallConfig({ ...common, algorithm: { kind }, secagg: { fidelity } });
    const outcome = async (workers: number) => {
      const createPool: CreatePool = async (setting) => {
        expect({ ...setting, dataset: setting.dataset.sha256 }).toEqual({ ...SETTING, dataset: dataset.sha256 });
        return { ...pool(workers), dispose: async () => {} };
      };
      const { result, folder } = await playRun(config, { createPool });
      const { status, accuracy, loss, drops, bytes } = result;
      const weights = readFileSync(join(folder, "model.f32")).toString("hex");
      return { status, accuracy, loss, drops, bytes, weights };
    };
    const here = await outcome(0);
    expect(here.status).toBe("done");
    expect(Object.values(here.drops).some((count) => count > 0)).toBe(true);
    for (const workers of [1, 2, 4]) expect(await outcome(workers)).toEqual(here);
  });
});

describe("a pool of worker threads", () => {
  it("gives each device's result, or only the sum of all, as a single thread computes them", async () => {
    const local = pool(0).begin(WORK, []);
    const each = pool(4).begin(WORK, jobs(...SOME));
    for (const device of SOME) expect(await each.trained(job(device))).toEqual(await local.trained(job(device)));
    const summed = pool(4).begin(WORK, jobs(...SOME), TERMS);
    for (const device of SOME) expect(await summed.trained(job(device))).toBeUndefined();
    expect(await sumOf(summed, SOME)).toEqual(await localSum(SOME));
  });

  it("trains a device that was not asked for at the beginning when it is", async () => {
    const round = pool(2).begin(WORK, jobs(0, 1, 2), TERMS);
    for (const device of [2, 9, 0, 1]) await round.trained(job(device));
    expect(await sumOf(round, [0, 1, 2, 9])).toEqual(await localSum([0, 1, 2, 9]));
  });

  it("gives no sum while a device is still being added to it", async () => {
    const slow: RoundWork = { ...WORK, task: { ...WORK.task, epochs: 20 } };
    const round = pool(2).begin(slow, jobs(0, 1, 2, 3), TERMS);
    await Promise.race([0, 1, 2, 3].map((device) => round.trained(job(device))));
    expect(() => round.sum()).toThrow(/still being added up/);
    expect((await round.summed()).size).toBe(4);
    expect(round.sum()).toHaveLength(TERMS.dimension);
  });

  it("evaluates as a single thread does, to the last bit", async () => {
    const expected = await pool(0).evaluate(parameters);
    for (const workers of [1, 2, 4]) expect(await pool(workers).evaluate(parameters)).toEqual(expected);
  });
});

describe("what goes wrong in a thread", () => {
  it("with one device is that device's error; the others train, and so do later rounds", async () => {
    const wrong: TrainingJob = { ...job(4), correction: new Float32Array(3) };
    const round = pool(2).begin(WORK, [job(3), wrong, job(5), job(6)]);
    await expect(round.trained(wrong)).rejects.toThrow(/3/);
    for (const device of [3, 5, 6])
      expect(await round.trained(job(device))).toMatchObject({ steps: expect.any(Number) });
    round.end();
    const next = pool(2).begin(WORK, jobs(4), TERMS);
    await next.trained(job(4));
    expect(await sumOf(next, [4])).toEqual(await localSum([4]));
  });

  it("by an update that is not finite is known as that", async () => {
    const diverging: RoundWork = { ...WORK, parameters: parameters.map(() => Number.NaN) };
    const round = pool(2).begin(diverging, jobs(0, 1), TERMS);
    for (const device of [0, 1]) {
      const error = await round.trained(job(device)).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MurmurError);
      expect(error).toMatchObject({ name: "non-finite-update", message: expect.stringContaining("is not a finite") });
    }
    // Nothing of either is in the sum.
    await round.trained(job(2)).catch(() => {});
    expect(await sumOf(round, [])).toEqual(new Int32Array(TERMS.dimension));
  });

  it("before it is ready is what creating the pool throws, and no thread is left", async () => {
    const before = alive.size;
    const missing = { ...SETTING, model: "/nowhere/model.mjs" };
    const here = await createLocalPool(missing).catch((error: unknown) => error);
    const there = await onThreads(2)(missing).catch((error: unknown) => error);
    expect(there).toBeInstanceOf(MurmurError);
    const { name, message, hint } = here as MurmurError;
    expect(there).toMatchObject({ name, message, hint });
    expect(alive.size).toBe(before);
  });

  it.each([
    ["ends", "process.exit(3)", "a worker thread ended with code 3"],
    ["throws", "throw new RangeError('out of the blue')", "a worker thread failed: out of the blue"],
  ])("that %s is the end of all that it was asked for and is asked later", async (_, death, message) => {
    const before = alive.size;
    const dying = await onThreads(2, programOf(`parentPort.on("message", () => { ${death} });`))(SETTING);
    const round = dying.begin(WORK, jobs(0, 1, 2, 3), TERMS);
    expect((await settled(round, [0, 1, 2, 3])).map(reasonOf)).toEqual(new Array(4).fill(message));
    await expect(dying.evaluate(parameters)).rejects.toThrow(message);
    expect((await settled(dying.begin(WORK, jobs(5), TERMS), [5])).map(reasonOf)).toEqual([message]);
    await dying.dispose();
    expect(alive.size).toBe(before);
  });

  it("that dies in the middle of a run ends the run: devices are not to blame, and results do not depend on the host", async () => {
    const dies = `let asked = 0; parentPort.on("message", () => { if (++asked === 3) process.exit(3); });`;
    const createPool = onThreads(1, programOf(`${dies} await import(${JSON.stringify(PROGRAM.href)});`, false));
    const events: RunEvent[] = [];
    const playing = playRun(smallConfig({ fleet: { dropout: 0 }, task: { partition: PARTITION } }), {
      createPool,
      onEvent(event) {
        events.push(event);
        return undefined;
      },
    });
    await expect(playing).rejects.toThrow("a worker thread ended with code 3");
    expect(events.filter(({ type }) => type === "device.lost")).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "run.done", p: { status: "failed", rounds: 1 } });
  });
});

describe("a round that is given up", () => {
  it("trains nobody who has not begun, and leaves the pool ready for the next one", async () => {
    // Long enough that a thread is in the middle of a device.
    const slow: RoundWork = { ...WORK, task: { ...WORK.task, epochs: 60 } };
    const round = pool(2).begin(slow, jobs(...SOME), TERMS);
    await Promise.race(SOME.map((device) => round.trained(job(device))));
    round.end();
    const ends = (await settled(round, SOME)).map(reasonOf);
    expect(ends).toContain("trained");
    expect(ends.filter((end) => end !== "trained")).toContain("the round ended before this device trained");
    const next = pool(2).begin(WORK, jobs(...SOME), TERMS);
    await settled(next, SOME);
    expect(await sumOf(next, SOME)).toEqual(await localSum(SOME));
  });

  it("and disposed of at once leaves no thread", async () => {
    const before = alive.size;
    const disposed = await onThreads(2)(SETTING);
    expect(alive.size).toBe(before + 2);
    const round = disposed.begin(WORK, jobs(...SOME), TERMS);
    round.end();
    await disposed.dispose();
    expect(alive.size).toBe(before);
    expect(await settled(round, SOME)).toHaveLength(SOME.length);
  });
});

/** A thread's program that does as told; ready at once, unless the rest says when it is. */
function programOf(rest: string, isReady = true): URL {
  const ready = isReady ? 'parentPort.postMessage({ kind: "ready" });' : "";
  const source = `import { parentPort } from "node:worker_threads"; ${rest} ${ready}`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}
