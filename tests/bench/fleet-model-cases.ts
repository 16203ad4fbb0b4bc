import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { drawKey, drawUniforms, exponentialAt } from "../../simulations/fleet/model/draws.ts";
import { createEventQueue, type EventQueue } from "../../simulations/fleet/model/event-queue.ts";
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
  measure: (options) =>
    CASES.filter(({ name }) => options.wants(name(options.quick))).map((each) => measure(each, options)),
};

interface Case {
  readonly name: (quick: boolean) => string;
  readonly subject: string;
  readonly unit: string;
  /** One repetition. */
  readonly run: (devices: number) => number;
}

const DEVICES = 1e6;
const QUICK_DEVICES = 1e4;
const REPETITIONS = 5;
const size = (quick: boolean) => (quick ? "1e4" : "1e6");

const CASES: readonly Case[] = [
  { name: (quick) => `clock-${size(quick)}`, subject: "event queue", unit: "events/CPU s", run: eventsPerSecond },
  { name: (quick) => `eligibility-${size(quick)}`, subject: "phones", unit: "s CPU", run: secondsOfEligibility },
  { name: () => "idle-device", subject: "fleet model", unit: "bytes/device", run: bytesPerIdleDevice },
];

function measure({ name, subject, unit, run }: Case, { quick, onProgress }: MeasureOptions): BenchmarkRow {
  onProgress(name(quick));
  const devices = quick ? QUICK_DEVICES : DEVICES;
  // The first is a rehearsal: the functions are compiled in it.
  const results = Array.from({ length: REPETITIONS + 1 }, () => run(devices)).slice(1);
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

function bytesPerIdleDevice(devices: number): number {
  const before = heldBytes();
  const fleet = createFleetModel({ size: devices, seed: 1 });
  const returns = createReturnTimes(fleet.seed, devices);
  const queue = createEventQueue(devices);
  for (let device = 0; device < devices; device++) {
    const first = fleet.eligibility.next(device, 0);
    if (first !== undefined) queue.push(first.start, device);
  }
  const bytes = (heldBytes() - before) / devices;
  // Both are still in use here, so that neither was collected.
  if (waits(queue) !== devices || returns.of(0) > 0) throw new Error("every device waits, and may return at any time");
  return bytes;
}

function waits(queue: EventQueue): number {
  return queue.size;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Bytes of this process's heap and array buffers that are not garbage. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
