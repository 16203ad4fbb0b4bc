import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { drawKey, drawUniforms, exponentialAt } from "../../simulations/fleet/model/draws.ts";
import { createEventQueue } from "../../simulations/fleet/model/event-queue.ts";
import { createFleetModel } from "../../simulations/fleet/model/fleet-model.ts";
import { createReturnTimes } from "../../simulations/fleet/model/return-times.ts";
import type { FleetCases, MeasureOptions } from "./fleet-cases.ts";
import { cpuMilliseconds } from "./mask-limit.ts";
import { type BenchmarkRow, median } from "./report.ts";

/**
 * What the fleet model costs without any training, in CPU time and memory; absolute figures.
 *
 * | case | figure |
 * |---|---|
 * | `clock-1e6` | events per CPU second: the earliest of 10^6 devices' events is taken, and its device's next one drawn and scheduled |
 * | `eligibility-1e6` | CPU seconds for all eligible intervals of 10^6 phones in 24 virtual hours |
 * | `idle-device` | bytes that a fleet of 10^6 holds for each idle device: its return time, and an event that waits for it |
 */
export const FLEET_MODEL_CASES: FleetCases = {
  names: (quick) => CASES.map(({ name }) => name(quick)),
  async measure(options) {
    const rows: BenchmarkRow[] = [];
    for (const each of CASES) if (options.wants(each.name(options.quick))) rows.push(await measure(each, options));
    return rows;
  },
};

interface Case {
  readonly name: (quick: boolean) => string;
  readonly subject: string;
  readonly unit: string;
  /** How many devices the short form takes, if not 10^4. */
  readonly quickDevices?: number;
  /** One repetition; what it adds to `held` is not collected before the last. */
  readonly run: (devices: number, held: unknown[]) => number | Promise<number>;
}

const DEVICES = 1e6;
const QUICK_DEVICES = 1e4;
const REPETITIONS = 5;
const size = (quick: boolean) => (quick ? "1e4" : "1e6");

const CASES: readonly Case[] = [
  { name: (quick) => `clock-${size(quick)}`, subject: "event queue", unit: "events/CPU s", run: eventsPerSecond },
  { name: (quick) => `eligibility-${size(quick)}`, subject: "phones", unit: "s CPU", run: secondsOfEligibility },
  {
    name: () => "idle-device",
    subject: "fleet model",
    unit: "bytes/device",
    // Among fewer, the runtime's own objects, which come and go, would be bytes for each.
    quickDevices: 1e5,
    run: bytesPerIdleDevice,
  },
];

async function measure(
  { name, subject, unit, quickDevices = QUICK_DEVICES, run }: Case,
  { quick, onProgress }: MeasureOptions,
): Promise<BenchmarkRow> {
  onProgress(name(quick));
  const devices = quick ? quickDevices : DEVICES;
  // The first is a rehearsal: the functions are compiled in it.
  const results: number[] = [];
  const held: unknown[] = [];
  for (let repetition = 0; repetition <= REPETITIONS; repetition++) results.push(await run(devices, held));
  results.shift();
  return {
    case: name(quick),
    subject,
    baseline: null,
    unit,
    subject_median: median(results),
    baseline_median: null,
    ratio: null,
    repetitions: REPETITIONS,
  };
}

/** Milliseconds between two events of a device, on average: a phone has about six changes of eligibility a day. */
const MEAN_GAP = 14_400_000;

function eventsPerSecond(devices: number): number {
  const key = drawKey(1, "clock");
  const uniforms = new Float64Array(2);
  const queue = createEventQueue(devices);
  for (let device = 0; device < devices; device++) {
    drawUniforms(key, device, 0, uniforms);
    queue.push(exponentialAt(uniforms[0], MEAN_GAP), device);
  }
  const events = 2 * devices;
  const start = cpuMilliseconds();
  let last = 0;
  for (let event = 1; event <= events; event++) {
    const now = queue.nextTime;
    if (now < last) throw new Error("an event came before one that was earlier");
    last = now;
    const device = queue.nextPayload;
    drawUniforms(key, device, event, uniforms);
    queue.replace(now + exponentialAt(uniforms[0], MEAN_GAP), device);
  }
  return (1000 * events) / (cpuMilliseconds() - start);
}

const DAY = 86_400_000;

function secondsOfEligibility(devices: number): number {
  const { eligibility } = createFleetModel({ size: devices, seed: 1 });
  const intervals = new Float64Array(256);
  const start = cpuMilliseconds();
  let eligible = 0;
  for (let device = 0; device < devices; device++) {
    const count = eligibility.within(device, DAY, 2 * DAY, intervals);
    for (let i = 0; i < count; i++) {
      eligible += Math.min(2 * DAY, intervals[2 * i + 1]) - Math.max(DAY, intervals[2 * i]);
    }
  }
  const seconds = (cpuMilliseconds() - start) / 1000;
  const share = eligible / (devices * DAY);
  if (Math.abs(share - 0.26) > 0.02) throw new Error(`phones were eligible for ${share} of the day, not for 0.26`);
  return seconds;
}

/**
 * Fleets stay held until all are measured: the buffers of one that went would be given back at some later time, by
 * another thread, and be taken off the next one's.
 */
async function bytesPerIdleDevice(devices: number, held: unknown[]): Promise<number> {
  const before = await heldBytes();
  const fleet = createFleetModel({ size: devices, seed: 1 });
  const returns = createReturnTimes(fleet.seed, devices);
  const queue = createEventQueue(devices);
  for (let device = 0; device < devices; device++) {
    const first = fleet.eligibility.next(device, 0);
    if (first !== undefined) queue.push(first.start, device);
  }
  held.push(fleet, returns, queue);
  return ((await heldBytes()) - before) / devices;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Bytes of this process's heap and array buffers that are not garbage: looked at until they stay the same. */
async function heldBytes(): Promise<number> {
  let last = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20; look++) {
    collectGarbage();
    await setTimeout(20);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    if (Math.abs(heapUsed + arrayBuffers - last) < 65_536) break;
    last = heapUsed + arrayBuffers;
  }
  return last;
}
