import { cryptoProvider } from "#crypto-provider";
import { createClientSecAgg } from "../../client/secagg/session.ts";
import { CHUNK_BYTES } from "../../shared/protocol/chunks.ts";
import { packedLength } from "../../shared/secagg/ring-accumulator.ts";
import { coordinatorMemory } from "./coordinator-memory.ts";
import { cpuMilliseconds, createMaskLimit } from "./mask-limit.ts";
import {
  BENCH_POLICY,
  NOW_SECONDS,
  openCoordinator,
  playStage,
  type RecordedSession,
  recordSession,
  type SessionEnding,
  stagesOf,
} from "./recorded-session.ts";
import { replayRandomness } from "./replayed-randomness.ts";
import { type BenchmarkRow, median } from "./report.ts";
import { subjectInput } from "./session-inputs.ts";

export interface SecAggBenchmarkOptions {
  /** A short form, of the smaller vectors only. */
  readonly quick: boolean;
  /** Only the case of this name. */
  readonly only?: string;
  /** Told what is being prepared or measured. */
  readonly onProgress?: (what: string) => void;
}

/**
 * What secure aggregation costs one device and the coordinator, in CPU time, beside the limit: as many bare mask passes
 * as the protocol asks for, measured in turns with it. Every sum that the coordinator opens is compared with the plain
 * sum of the survivors' inputs, and every frame of the device with the recorded one.
 *
 * | case | subject | baseline |
 * |---|---|---|
 * | `device-nN-dD` | one device, exchanges 0 to 4, from a float update | (k + 1) passes |
 * | `server-nN-dD-dropP` | the coordinator: every frame, every close; P % vanish between sharing and masking | one pass for each survivor, and for each surviving neighbour of a vanished device |
 * | `upload-nN-dD` | bytes that one device sends | the specification's formula |
 * | `memory-server-nN` | most bytes that the coordinator holds beyond the shares, d = 10^6 | 2 vectors and 4 uploads |
 */
export function runSecAggBenchmark(options: SecAggBenchmarkOptions): BenchmarkRow[] {
  const { quick, only, onProgress = () => {} } = options;
  const rows: BenchmarkRow[] = [];
  for (const shape of quick ? QUICK_SHAPES : SHAPES) {
    const wanted = casesOf(shape).filter(({ name }) => only === undefined || name === only);
    if (wanted.length === 0) continue;
    onProgress(`playing ${shape.devices} devices, ${shape.dimension} coordinates`);
    const session = recordSession(shape);
    for (const { name, measure } of wanted) {
      onProgress(name);
      rows.push({ case: name, ...measure(session) });
    }
  }
  if (rows.length === 0) throw new RangeError(`there is no case "${only}"${quick ? " in the quick form" : ""}`);
  return rows;
}

interface Shape {
  readonly devices: number;
  readonly dimension: number;
}

const COHORTS = [16, 64, 100, 256];
const SHAPES: readonly Shape[] = COHORTS.flatMap((devices) =>
  [1e4, 1e5, 1e6].map((dimension) => ({ devices, dimension })),
);
const QUICK_SHAPES: readonly Shape[] = [
  { devices: 16, dimension: 1e4 },
  { devices: 16, dimension: 1e5 },
];

/** The longest vector of a form: upload and memory are stated for it. */
const UPLOAD_COHORT = 100;
const MEMORY_COHORTS = [16, 100];

interface Case {
  readonly name: string;
  readonly measure: (session: RecordedSession) => Omit<BenchmarkRow, "case">;
}

function casesOf({ devices, dimension }: Shape): Case[] {
  const shape = `n${devices}-d1e${Math.round(Math.log10(dimension))}`;
  const cases: Case[] = [
    { name: `device-${shape}`, measure: measureDevice },
    { name: `server-${shape}-drop0`, measure: (session) => measureCoordinator(session, session.endings[0]) },
    { name: `server-${shape}-drop10`, measure: (session) => measureCoordinator(session, session.endings[1]) },
  ];
  if (dimension === 1e6 && devices === UPLOAD_COHORT) cases.push({ name: `upload-${shape}`, measure: measureUpload });
  if (dimension === 1e6 && MEMORY_COHORTS.includes(devices)) {
    cases.push({ name: `memory-server-n${devices}`, measure: measureMemory });
  }
  return cases;
}

function measureDevice(session: RecordedSession): Omit<BenchmarkRow, "case"> {
  const { agreement, graph, subject } = session;
  const run = () => {
    const provider = replayRandomness(cryptoProvider, subject.draws);
    const client = createClientSecAgg({
      provider,
      agreement,
      identity: subject.identity,
      policy: BENCH_POLICY,
      input: subjectInput(agreement, subject.update, provider),
      journal: { recordUpload() {} },
      nowSeconds: NOW_SECONDS,
    });
    const replies = client.start();
    for (const request of subject.requests) replies.push(...client.receive(request));
    return replies;
  };
  const check = (replies: readonly Uint8Array[]) => {
    const same =
      replies.length === subject.replies.length && replies.every((reply, i) => sameBytes(reply, subject.replies[i]));
    if (!same) throw new Error("the device answered otherwise than when the session was recorded");
  };
  return measureBesideLimit(session, { subject: "device", passes: graph.degree + 1, warmUp: 3, run, check });
}

function measureCoordinator(session: RecordedSession, ending: SessionEnding): Omit<BenchmarkRow, "case"> {
  const stages = stagesOf(session, ending);
  const run = () => {
    const server = openCoordinator(session);
    for (const stage of stages) playStage(server, stage);
    return server.result;
  };
  const check = (result: ReturnType<typeof run>) => {
    if (result === undefined || !sameWords(result.sum, ending.plainSum)) {
      throw new Error("the unmasked sum is not the plain sum of the survivors' inputs");
    }
  };
  return measureBesideLimit(session, { subject: "coordinator", passes: ending.passes, warmUp: 1, run, check });
}

/** Subject and limit in turns. What comes out is checked outside of what is measured. */
function measureBesideLimit<Result>(
  { agreement }: RecordedSession,
  measured: {
    readonly subject: string;
    readonly passes: number;
    readonly warmUp: number;
    readonly run: () => Result;
    readonly check: (result: Result) => void;
  },
): Omit<BenchmarkRow, "case"> {
  const { subject, passes, warmUp, run, check } = measured;
  const limit = createMaskLimit(agreement);
  const times: number[] = [];
  const started = cpuMilliseconds();
  for (let repetition = -warmUp; repetition < 0 || !isEnough(times, cpuMilliseconds() - started); repetition++) {
    const start = cpuMilliseconds();
    const result = run();
    const elapsed = cpuMilliseconds() - start;
    check(result);
    limit.sample(LIMIT_SAMPLES);
    if (repetition >= 0) times.push(elapsed);
  }
  const baseline = passes * limit.medianMs();
  return {
    subject,
    baseline: "limit",
    unit: "ms CPU",
    subject_median: median(times),
    baseline_median: baseline,
    ratio: median(times) / baseline,
    repetitions: times.length,
  };
}

const LIMIT_SAMPLES = 7;
const LEAST_REPETITIONS = 3;
const MOST_REPETITIONS = 15;
const ENOUGH_MS = 4000;

function isEnough(times: readonly number[], spentMs: number): boolean {
  return times.length >= MOST_REPETITIONS || (times.length >= LEAST_REPETITIONS && spentMs >= ENOUGH_MS);
}

/** Section 8 of the specification: ⌈d·b/8⌉ + 128·(k + 1) + 768 + 96·⌈bytes / 2^20⌉. */
function measureUpload({ agreement, graph, subject }: RecordedSession): Omit<BenchmarkRow, "case"> {
  const packed = packedLength(agreement.dimension, agreement.bits);
  const sent = subject.replies.reduce((sum, reply) => sum + reply.length, 0);
  const formula = packed + 128 * (graph.degree + 1) + 768 + 96 * Math.ceil(packed / CHUNK_BYTES);
  return {
    subject: "device",
    baseline: "formula",
    unit: "bytes",
    subject_median: sent,
    baseline_median: formula,
    ratio: sent / formula,
    repetitions: 1,
  };
}

function measureMemory(session: RecordedSession): Omit<BenchmarkRow, "case"> {
  const { dimension, bits } = session.agreement;
  const peak = coordinatorMemory(session, session.endings[1]);
  const bound = 2 * 4 * dimension + 4 * packedLength(dimension, bits);
  return {
    subject: "coordinator",
    baseline: "2 vectors + 4 uploads",
    unit: "bytes",
    subject_median: peak,
    baseline_median: bound,
    ratio: peak / bound,
    repetitions: 1,
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function sameWords(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
