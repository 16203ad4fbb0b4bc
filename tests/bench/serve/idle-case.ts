import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchmarkRow, median } from "../report.ts";
import type { BareServerCalls } from "./bare-server.ts";
import { NO_HEARTBEAT, sharesOf } from "./broadcast-case.ts";
import type { CoordinatorCalls } from "./coordinator-process.ts";
import type { BenchProcess, StartProcess } from "./processes.ts";
import type { RawClientCalls, Side } from "./raw-clients.ts";

export interface IdleCase {
  readonly sockets: number;
  readonly repetitions: number;
  /** Milliseconds that a server is left alone before it is weighed. */
  readonly settling: number;
}

type Server = BenchProcess<Pick<BareServerCalls, "connected" | "residentBytes">>;

const CLIENT_PROCESSES = 2;
/** Connections that come and go before anything is weighed: code is compiled by then, and the heap has grown. */
const WARM_UP = 200;

/**
 * Resident memory of a server that one more connected, checked-in, silent device costs, garbage collected before each
 * look. Enrolled devices cost memory whether they are connected or not: they are enrolled before.
 */
export async function measureIdle(
  start: StartProcess,
  { sockets, repetitions, settling }: IdleCase,
  onProgress: (what: string) => void,
): Promise<BenchmarkRow[]> {
  const measured: Record<Side, number[]> = { subject: [], baseline: [] };
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const side of ["subject", "baseline"] as const) {
      const bytes = await weighOnce(start, side, { sockets, settling });
      onProgress(`idle-${sockets} ${side} ${repetition}: ${(bytes / 1000).toFixed(2)} kB`);
      measured[side].push(bytes / 1000);
    }
  }
  const [subject, baseline] = [median(measured.subject), median(measured.baseline)];
  return [
    {
      case: `idle-${sockets}`,
      subject: "coordinator",
      baseline: "ws",
      unit: "kB",
      subject_median: subject,
      baseline_median: baseline,
      // Of a few sockets, nothing may be left after a collection.
      ratio: baseline > 0 ? subject / baseline : null,
      repetitions,
    },
  ];
}

/** @returns bytes for each socket, of a new server with new clients */
async function weighOnce(
  start: StartProcess,
  side: Side,
  { sockets, settling }: Pick<IdleCase, "sockets" | "settling">,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-bench-"));
  const shares = sharesOf(sockets, CLIENT_PROCESSES);
  const clients = shares.map(() => start<RawClientCalls>("raw-clients"));
  let server: Server | undefined;
  try {
    let port: number;
    if (side === "subject") {
      const coordinator = start<CoordinatorCalls>("coordinator-process");
      server = coordinator;
      const setting = { folder, devices: sockets, dimension: 1000, heartbeat: NO_HEARTBEAT };
      const { url, token } = await coordinator.ask("open", setting);
      await Promise.all(clients.map((client, i) => client.ask("enrol", shares[i], url, token)));
      port = Number(new URL(url).port);
    } else {
      const bare = start<BareServerCalls>("bare-server");
      server = bare;
      port = await bare.ask("open");
    }
    const connect = async (counts: readonly number[]) => {
      await Promise.all(clients.map((client, i) => client.ask("connect", side, port, counts[i])));
      await server?.ask(
        "connected",
        counts.reduce((sum, count) => sum + count, 0),
      );
    };
    await connect(sharesOf(Math.min(sockets, WARM_UP), shares.length));
    await Promise.all(clients.map((client) => client.ask("disconnect", side)));
    await server.ask("connected", 0);
    await pause(settling);
    const before = await server.ask("residentBytes");
    await connect(shares);
    await pause(settling);
    return ((await server.ask("residentBytes")) - before) / sockets;
  } finally {
    await Promise.all([...clients, ...(server === undefined ? [] : [server])].map((process) => process.end()));
    rmSync(folder, { recursive: true, force: true });
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
