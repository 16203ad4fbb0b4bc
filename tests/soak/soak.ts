import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DROP_REASONS } from "../../shared/protocol/reasons.ts";
import { type SeededRandom, seededRandom } from "../../shared/random/seeded-random.ts";
import { joinDevices, type ServedRun, serve } from "../end-to-end/served-run.ts";

export interface SoakOptions {
  readonly minutes: number;
  /** Of what happens to the devices, and when. */
  readonly seed: number;
  onProgress(text: string): void;
}

export interface SoakResult {
  readonly seconds: number;
  readonly committed: number;
  readonly abandoned: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  /** What was done to processes of devices, and how often. */
  readonly disturbances: Readonly<Record<string, number>>;
  /** Of the coordinator, early and late: medians over a third of the samples each. */
  readonly memory: Growth;
  readonly heap: Growth;
  /** Open files that are not devices' connections. */
  readonly handles: Growth;
  /** Seconds of the longest round, and the longest that the deadlines allow. */
  readonly longestRound: number;
  readonly allowedRound: number;
  /** What should not have happened. Empty when all is well. */
  readonly problems: readonly string[];
}

export interface Growth {
  readonly early: number;
  readonly late: number;
}

const GROUPS = 6;
const DEVICES_A_GROUP = 10;
const STAGE_SECONDS = 2;
const CONFIG = {
  seed: 9,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: GROUPS * DEVICES_A_GROUP, dropout: 0.1 },
  round: {
    count: 1_000_000,
    cohort: 16,
    overSelection: 1.3,
    minCohort: 10,
    deadline: `${2 * STAGE_SECONDS}s`,
    exchangeDeadline: `${STAGE_SECONDS}s`,
    maxAbandoned: 1_000_000,
    evaluateEvery: 20,
  },
  secagg: { minHonest: 3 },
  serve: { port: 0, selection: "1s", heartbeat: "4s", joinToken: { count: 1_000_000, expires: "1d" } },
};
const INVITED = 21;
/** configure, train, keys, shares, uploads four at a time, confirm, unmask; and the machine's own slowness. */
const ALLOWED_ROUND = STAGE_SECONDS * (1 + 2 + 1 + 1 + Math.ceil(INVITED / 4) + 1 + 1) + 10;
const POLICY = ["--min-cohort", "10", "--min-honest", "3", "--rounds-per-day", "1000000"];
const SAMPLE_MS = 1_000;

/** What can happen to a process of devices. */
const DISTURBANCES = ["kill", "leave", "freeze"] as const;
type Disturbance = (typeof DISTURBANCES)[number];

interface Sample {
  readonly resident: number;
  readonly heap: number;
  readonly handles: number;
}

/**
 * Rounds for some minutes with devices that join and leave at random: processes of devices are killed, told to leave, or
 * frozen for longer than a stage, and come back. Looks at the coordinator's memory and open files all the while.
 */
export async function soak({ minutes, seed, onProgress }: SoakOptions): Promise<SoakResult> {
  const cwd = mkdtempSync(join(tmpdir(), "murmur-soak-"));
  writeFileSync(join(cwd, "config.yaml"), JSON.stringify(CONFIG));
  const random = seededRandom(seed, "soak");
  const startedAt = Date.now();
  const end = startedAt + minutes * 60_000;
  const run = await serve(cwd, ["config.yaml"]);
  const groups = Array.from({ length: GROUPS }, (_, i) => deviceGroup(cwd, run, `group-${i}`));
  const disturbances = Object.fromEntries(DISTURBANCES.map((kind) => [kind, 0])) as Record<Disturbance, number>;
  const samples: Sample[] = [];
  const problems: string[] = [];
  try {
    for (const group of groups) group.start();
    await run.events.next("round.done");
    const disturbing = disturb(groups, random, end, disturbances);
    for (let shown = Date.now(); Date.now() < end; ) {
      await sleep(SAMPLE_MS);
      if (run.process.exitCode !== null) throw new Error(`the coordinator ended: ${(await run.ended).stderr}`);
      samples.push(await sample(run));
      if (Date.now() - shown < 15_000) continue;
      shown = Date.now();
      onProgress(progressText(run, samples, startedAt));
    }
    await disturbing;
  } finally {
    for (const group of groups) group.end();
    run.process.kill("SIGTERM");
  }
  const { exitCode, stderr } = await run.ended;
  run.events.close();
  rmSync(cwd, { recursive: true, force: true });
  if (exitCode !== 143) problems.push(`the coordinator ended with ${exitCode}: ${stderr.slice(-500)}`);
  return judge(run, samples, problems, { seconds: (Date.now() - startedAt) / 1000, disturbances });
}

interface DeviceGroup {
  readonly running: boolean;
  start(): void;
  disturb(kind: Disturbance, random: SeededRandom): Promise<void>;
  end(): void;
}

/** A process of devices with keys of its own, which it finds again when it comes back. */
function deviceGroup(cwd: string, run: ServedRun, name: string): DeviceGroup {
  let child: ChildProcess | undefined;
  let over = false;
  function start(): void {
    if (over) return;
    const joined = joinDevices(cwd, run.serving.url, name, DEVICES_A_GROUP, POLICY);
    child = joined.process;
  }
  async function gone(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      ending.once("exit", () => resolve());
      ending.kill(signal);
    });
  }
  return {
    get running() {
      return child !== undefined;
    },
    start,
    async disturb(kind, random) {
      if (kind === "freeze") {
        const frozen = child;
        frozen?.kill("SIGSTOP");
        await sleep(500 + random.below(3 * STAGE_SECONDS * 1000));
        frozen?.kill("SIGCONT");
        return;
      }
      await gone(kind === "kill" ? "SIGKILL" : "SIGTERM");
      await sleep(random.below(3_000));
      start();
    },
    end() {
      over = true;
      child?.kill("SIGKILL");
    },
  };
}

async function disturb(
  groups: readonly DeviceGroup[],
  random: SeededRandom,
  end: number,
  counts: Record<Disturbance, number>,
): Promise<void> {
  while (Date.now() < end - 5_000) {
    await sleep(1_000 + random.below(4_000));
    const group = groups[random.below(groups.length)];
    const kind = DISTURBANCES[random.below(DISTURBANCES.length)];
    counts[kind]++;
    await group.disturb(kind, random);
  }
}

async function sample({ process, serving }: ServedRun): Promise<Sample> {
  const response = await fetch(`${serving.url}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    resident: figure("process_resident_memory_bytes"),
    heap: figure("nodejs_heap_size_used_bytes"),
    handles: readdirSync(`/proc/${process.pid}/fd`).length - figure("murmuration_connections_open"),
  };
}

function progressText(run: ServedRun, samples: readonly Sample[], startedAt: number): string {
  const committed = run.events.all.filter(({ type }) => type === "round.done").length;
  const { resident, handles } = samples[samples.length - 1];
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  return `${seconds} s: ${committed} rounds, ${(resident / 2 ** 20).toFixed(0)} MiB resident, ${handles} files`;
}

function judge(
  { events }: ServedRun,
  samples: readonly Sample[],
  problems: string[],
  rest: Pick<SoakResult, "seconds" | "disturbances">,
): SoakResult {
  const abandoned: Record<string, number> = {};
  const drops: Record<string, number> = {};
  let committed = 0;
  let longestRound = 0;
  let startedAt = 0;
  for (const event of events.all) {
    if (event.type === "round.started") startedAt = event.t;
    if (event.type === "device.lost") drops[event.p.reason] = (drops[event.p.reason] ?? 0) + 1;
    if (event.type === "round.done") committed++;
    if (event.type === "round.abandoned") abandoned[event.p.reason] = (abandoned[event.p.reason] ?? 0) + 1;
    if (event.type === "round.done" || event.type === "round.abandoned") {
      longestRound = Math.max(longestRound, (event.t - startedAt) / 1000);
    }
  }
  const growth = (of: (sample: Sample) => number): Growth => {
    const third = Math.max(1, Math.floor(samples.length / 3));
    return { early: median(samples.slice(-2 * third, -third).map(of)), late: median(samples.slice(-third).map(of)) };
  };
  const memory = growth(({ resident }) => resident);
  const heap = growth(({ heap: used }) => used);
  const handles = growth((one) => one.handles);
  for (const reason of Object.keys(drops)) {
    if (!DROP_REASONS.some((known) => known === reason))
      problems.push(`a device was lost for no known reason: ${reason}`);
  }
  if (longestRound > ALLOWED_ROUND) problems.push(`a round took ${longestRound} s, ${ALLOWED_ROUND} are allowed`);
  if (committed === 0) problems.push("no round was committed");
  if (handles.late > handles.early + 4) problems.push(`open files grew from ${handles.early} to ${handles.late}`);
  if (heap.late > 1.3 * heap.early + 8 * 2 ** 20)
    problems.push(`the heap grew from ${heap.early} to ${heap.late} bytes`);
  if (memory.late > 1.25 * memory.early) problems.push(`memory grew from ${memory.early} to ${memory.late} bytes`);
  return {
    ...rest,
    committed,
    abandoned,
    drops,
    memory,
    heap,
    handles,
    longestRound,
    allowedRound: ALLOWED_ROUND,
    problems,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
