import type { BenchmarkRow } from "./report.ts";
import { measureBroadcast } from "./serve/broadcast-case.ts";
import { affordableSockets, descriptorLimit } from "./serve/descriptors.ts";
import { measureIdle } from "./serve/idle-case.ts";
import { type StartProcess, withProcesses } from "./serve/processes.ts";
import { measureRound, roundName } from "./serve/round-case.ts";

export interface ServeBenchmarkOptions {
  /** A short form, of few sockets, devices and coordinates. */
  readonly quick: boolean;
  /** Only the case of this name, and what is measured with it. */
  readonly only?: string;
  readonly interrupt: AbortSignal;
  /** Told what is being prepared or measured. */
  readonly onProgress?: (what: string) => void;
  /** Told what cannot be measured as it should be. */
  readonly onWarning: (what: string) => void;
}

/**
 * What the coordinator costs on sockets, on the loopback, each server and the clients in processes of their own. Every
 * byte of a broadcast is counted where it arrives, and every sum of a round is compared with the plain one.
 *
 * | case | figure | baseline |
 * |---|---|---|
 * | `broadcast-N` | MB/s, 800 kB to each of N sockets, as a round sends it | `ws` with the same pump |
 * | `stall-N` | ms that the event loop of the server was held up at most during a broadcast | the same |
 * | `round-nN-dD` | s from CONFIGURE to the unmasked sum of N devices that do not train | none |
 * | `idle-N` | kB of resident memory for each of N connected, checked-in, silent devices | `ws` |
 *
 * Beside each wall time stand the CPU seconds that it took, of servers and clients, in rows of their own.
 */
export async function runServeBenchmark(options: ServeBenchmarkOptions): Promise<BenchmarkRow[]> {
  const { quick, only, interrupt, onProgress = () => {}, onWarning } = options;
  const limit = descriptorLimit();
  const groups = (quick ? QUICK_GROUPS : GROUPS).map((group) => affordable(group, limit));
  const wanted = groups.filter(({ group }) => only === undefined || namesOf(group).includes(only));
  if (wanted.length === 0) throw new RangeError(`there is no case "${only}"${quick ? " in the quick form" : ""}`);
  for (const { group, lowered } of wanted) {
    if (!lowered) continue;
    const names = namesOf(group).join(", ");
    onWarning(`ulimit -n is ${limit}: measured are ${names} instead, with fewer sockets than is asked for`);
  }
  const deadline = quick ? QUICK_DEADLINE_MS : DEADLINE_MS;
  return withProcesses({ deadline, interrupt }, async (start) => {
    const rows: BenchmarkRow[] = [];
    for (const { group } of wanted) rows.push(...(await measure(start, group, onProgress)));
    return rows;
  });
}

/** What is measured together. */
type Group =
  | { readonly kind: "broadcast"; readonly sockets: number; readonly repetitions: number }
  | { readonly kind: "idle"; readonly sockets: number; readonly repetitions: number; readonly settling: number }
  | { readonly kind: "round"; readonly devices: number; readonly dimension: number; readonly repetitions: number };

const GROUPS: readonly Group[] = [
  { kind: "broadcast", sockets: 1_000, repetitions: 7 },
  { kind: "broadcast", sockets: 10_000, repetitions: 5 },
  { kind: "round", devices: 100, dimension: 200_000, repetitions: 7 },
  { kind: "idle", sockets: 10_000, repetitions: 3, settling: 1_000 },
];
const QUICK_GROUPS: readonly Group[] = [
  { kind: "broadcast", sockets: 50, repetitions: 3 },
  { kind: "round", devices: 6, dimension: 2_000, repetitions: 1 },
  { kind: "idle", sockets: 50, repetitions: 1, settling: 50 },
];

const BROADCAST_BYTES = 800_000;
/** One for each core of the machine that the goals are stated for. */
const DEVICE_PROCESSES = 2;
const DEADLINE_MS = 20 * 60_000;
const QUICK_DEADLINE_MS = 90_000;

/** Case names of a group, the first ones of which the goals are about. */
function namesOf(group: Group): string[] {
  switch (group.kind) {
    case "broadcast":
      return [`broadcast-${group.sockets}`, `stall-${group.sockets}`];
    case "idle":
      return [`idle-${group.sockets}`];
    case "round":
      return [roundName(group)];
  }
}

/** The group with as many sockets as a process may have here: under its own name when they are fewer. */
function affordable(group: Group, limit: number): { readonly group: Group; readonly lowered: boolean } {
  if (group.kind === "round") return { group, lowered: false };
  const sockets = affordableSockets(group.sockets, limit);
  if (sockets === 0) throw new RangeError(`ulimit -n is ${limit}: that is not enough to measure anything`);
  return { group: { ...group, sockets }, lowered: sockets < group.sockets };
}

function measure(start: StartProcess, group: Group, onProgress: (what: string) => void): Promise<BenchmarkRow[]> {
  switch (group.kind) {
    case "broadcast":
      return measureBroadcast(start, { ...group, bytes: BROADCAST_BYTES }, onProgress);
    case "idle":
      return measureIdle(start, group, onProgress);
    case "round":
      return measureRound(start, { ...group, deviceProcesses: DEVICE_PROCESSES }, onProgress);
  }
}
