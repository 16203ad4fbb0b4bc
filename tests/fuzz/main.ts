import { parseArgs } from "node:util";
import { FuzzFailure, fuzz } from "./fuzz.ts";
import { liveMemory, peakResidentBytes } from "./memory.ts";
import { countsOf, type FuzzReport, reportText } from "./report.ts";
import { startWatchdog } from "./watchdog.ts";

// npm run fuzz [-- --frames N] [--seed S] [--session K] [--json]
const { values } = parseArgs({
  options: {
    frames: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    session: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const frames = whole(values.frames);
const seed = whole(values.seed);
const only = whole(values.session);

/** A session takes milliseconds, the largest a third of a second; a busy machine, some times that. */
const PATIENCE_MS = 120_000;
/** What may be live at the end beyond what was live after a tenth of the frames: caches that fill, code that compiles. */
const MOST_GROWTH = 16 * 2 ** 20;

if (frames === undefined || seed === undefined || (values.session !== undefined && only === undefined)) {
  process.stderr.write("--frames, --seed and --session take whole numbers\n");
  process.exit(2);
}

try {
  const report = await run(frames, seed);
  process.stdout.write(`${values.json ? JSON.stringify(report, undefined, 2) : reportText(report)}\n`);
  if (report.memory.after - report.memory.before > MOST_GROWTH) {
    process.stderr.write("memory grows with the frames: it was to be flat\n");
    process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error;
  process.stderr.write(`${error.message}\n\n${traceOf(error.cause)}\n`);
  process.exitCode = 1;
}

async function run(frames: number, seed: number): Promise<FuzzReport> {
  const watchdog = startWatchdog(seed, PATIENCE_MS);
  const start = process.cpuUsage();
  let began = performance.now();
  let current = -1;
  let slowest = { session: 0, seconds: 0 };
  let before: number | undefined;

  function sessionEnded(): void {
    const seconds = (performance.now() - began) / 1000;
    if (current >= 0 && seconds > slowest.seconds) slowest = { session: current, seconds };
  }

  const { sessions, tally } = await fuzz({
    frames,
    seed,
    ...(only === undefined ? {} : { session: only }),
    onSession(session, { frames: looked }) {
      sessionEnded();
      if (before === undefined && looked >= frames / 10) before = liveMemory().live;
      watchdog.alive(session);
      current = session;
      began = performance.now();
    },
  });
  sessionEnded();
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  const after = liveMemory().live;
  const memory = { before: before ?? after, after, peakResident: peakResidentBytes() };
  return { seed, sessions, seconds, slowestSession: slowest, ...countsOf(tally), memory };
}

function traceOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  return cause.cause === undefined ? String(cause.stack) : traceOf(cause.cause);
}

function whole(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
}
