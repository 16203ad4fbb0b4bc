import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchmarkRow, median } from "../report.ts";
import type { BareServerCalls } from "./bare-server.ts";
import type { CoordinatorCalls } from "./coordinator-process.ts";
import type { BroadcastFigures } from "./measuring.ts";
import type { BenchProcess, StartProcess } from "./processes.ts";
import type { RawClientCalls, Side } from "./raw-clients.ts";

export interface BroadcastCase {
  readonly sockets: number;
  /** Of the one message that goes to each socket. */
  readonly bytes: number;
  /** Besides the first one of each server, which is not counted. */
  readonly repetitions: number;
}

/** What both servers can be asked. */
type Server = BenchProcess<Pick<BareServerCalls, "connected" | "broadcast" | "figures">>;

interface Repetition extends BroadcastFigures {
  readonly seconds: number;
  readonly clientsCpuSeconds: number;
}

/** Bytes before a message of more than 65,535 on its way from a server (RFC 6455, section 5.2), and before a shorter one. */
const LONG_HEAD = 10;
const SHORT_HEAD = 4;
/** All sockets of both servers end in these. */
const CLIENT_PROCESSES = 2;
/** Nobody answers pings: there are to be none. */
export const NO_HEARTBEAT = 86_400_000;

/**
 * One message to every socket of the coordinator, and of a bare `ws` server with the same pump, in turns, over the same
 * connections all the time. Bandwidth, CPU of both ends, and the longest stall of the server's event loop.
 */
export async function measureBroadcast(
  start: StartProcess,
  { sockets, bytes, repetitions }: BroadcastCase,
  onProgress: (what: string) => void,
): Promise<BenchmarkRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-bench-"));
  const subject = start<CoordinatorCalls>("coordinator-process");
  const baseline = start<BareServerCalls>("bare-server");
  const shares = sharesOf(sockets, CLIENT_PROCESSES);
  const clients = shares.map(() => start<RawClientCalls>("raw-clients"));
  try {
    onProgress(`broadcast-${sockets}: connecting ${sockets} sockets to each server`);
    const dimension = bytes / 4;
    const { url, token } = await subject.ask("open", { folder, devices: sockets, dimension, heartbeat: NO_HEARTBEAT });
    const ports = { subject: Number(new URL(url).port), baseline: await baseline.ask("open") };
    await Promise.all(clients.map((client, i) => client.ask("enrol", shares[i], url, token)));
    const servers: Record<Side, Server> = { subject, baseline };
    for (const side of SIDES) {
      await Promise.all(clients.map((client, i) => client.ask("connect", side, ports[side], shares[i])));
      await servers[side].ask("connected", sockets);
    }
    const measured: Record<Side, Repetition[]> = { subject: [], baseline: [] };
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      for (const side of SIDES) {
        const figures = await broadcastOnce(servers[side], clients, shares, side, bytes);
        onProgress(`broadcast-${sockets} ${side} ${repetition}: ${progressLine(figures, sockets * bytes)}`);
        if (repetition > 0) measured[side].push(figures);
      }
    }
    return rowsOf(sockets, bytes, measured);
  } finally {
    await Promise.all([subject, baseline, ...clients].map((process) => process.end()));
    rmSync(folder, { recursive: true, force: true });
  }
}

const SIDES = ["subject", "baseline"] as const;

/** `total` in parts that differ by one at most, none of them empty. */
export function sharesOf(total: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, i) => Math.floor((total + i) / parts)).filter((share) => share > 0);
}

async function broadcastOnce(
  server: Server,
  clients: readonly BenchProcess<RawClientCalls>[],
  shares: readonly number[],
  side: Side,
  bytes: number,
): Promise<Repetition> {
  const onWire = bytes + (bytes > 0xffff ? LONG_HEAD : SHORT_HEAD);
  await Promise.all(clients.map((client) => client.ask("expect", side, onWire)));
  await server.ask("broadcast", bytes);
  const received = await Promise.all(clients.map((client) => client.ask("received", side)));
  const figures = await server.ask("figures");
  for (const [i, { bytes: total }] of received.entries()) {
    if (total !== shares[i] * onWire) throw new Error(`${total} bytes came of ${shares[i] * onWire}`);
  }
  return {
    ...figures,
    seconds: Math.max(...received.map(({ at }) => at)) - figures.startedAt,
    clientsCpuSeconds: received.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
  };
}

function rowsOf(sockets: number, bytes: number, measured: Record<Side, Repetition[]>): BenchmarkRow[] {
  const row = (name: string, unit: string, read: (repetition: Repetition) => number): BenchmarkRow => {
    const [subject, baseline] = SIDES.map((side) => median(measured[side].map(read)));
    return {
      case: name,
      subject: "coordinator",
      baseline: "ws",
      unit,
      subject_median: subject,
      baseline_median: baseline,
      ratio: subject / baseline,
      repetitions: measured.subject.length,
    };
  };
  return [
    row(`broadcast-${sockets}`, "MB/s", ({ seconds }) => (sockets * bytes) / 1e6 / seconds),
    row(`broadcast-${sockets}-server-cpu`, "s CPU", ({ cpuSeconds }) => cpuSeconds),
    row(`broadcast-${sockets}-clients-cpu`, "s CPU", ({ clientsCpuSeconds }) => clientsCpuSeconds),
    row(`stall-${sockets}`, "ms", ({ stallMilliseconds }) => stallMilliseconds),
  ];
}

function progressLine(
  { seconds, cpuSeconds, clientsCpuSeconds, stallMilliseconds }: Repetition,
  bytes: number,
): string {
  const speed = (bytes / 1e6 / seconds).toFixed(0);
  const cpu = `CPU ${cpuSeconds.toFixed(2)} s and ${clientsCpuSeconds.toFixed(2)} s`;
  return `${seconds.toFixed(3)} s, ${speed} MB/s, ${cpu}, stall ${stallMilliseconds.toFixed(1)} ms`;
}
