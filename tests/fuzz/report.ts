import type { Tally } from "./tally.ts";

/** The figures of one run of the fuzzer, as JSON. */
export interface FuzzReport {
  readonly seed: number;
  /** Mutated frames that somebody looked at. */
  readonly frames: number;
  readonly sessions: number;
  /** Of CPU time. */
  readonly seconds: number;
  /** By the clock: on a busy machine it waits. */
  readonly slowestSession: { readonly session: number; readonly seconds: number };
  readonly readers: Readonly<Record<string, number>>;
  readonly reactions: Readonly<Record<string, number>>;
  readonly mutations: Readonly<Record<string, number>>;
  readonly endings: Readonly<Record<string, number>>;
  /** Bytes: what was live after a tenth of the frames and at the end, and the most that the process held. */
  readonly memory: { readonly before: number; readonly after: number; readonly peakResident: number };
}

export function countsOf(tally: Tally): Pick<FuzzReport, "frames" | "readers" | "reactions" | "mutations" | "endings"> {
  const { frames, readers, reactions, mutations, endings } = tally;
  return {
    frames,
    readers: { ...readers },
    reactions: sorted(reactions),
    mutations: sorted(mutations),
    endings: sorted(endings),
  };
}

/** For people. */
export function reportText(report: FuzzReport): string {
  const { seed, frames, sessions, seconds, slowestSession, memory } = report;
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [
    `${frames.toLocaleString("en-US")} mutated frames in ${sessions.toLocaleString("en-US")} sessions, seed ${seed}: nothing that must not happen`,
    `${seconds.toFixed(1)} s of CPU; the slowest session, ${slowestSession.session}, ${slowestSession.seconds.toFixed(2)} s`,
    `memory: ${mebibytes(memory.before)} live after a tenth, ${mebibytes(memory.after)} at the end; at most ${mebibytes(memory.peakResident)} resident`,
    ...table("read by", report.readers),
    ...table("became", report.reactions),
    ...table("mutation", report.mutations),
    ...table("rounds", report.endings),
  ].join("\n");
}

function table(head: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts);
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    "",
    head,
    ...rows.map(([name, count]) => `  ${name.padEnd(width)}  ${count.toLocaleString("en-US").padStart(9)}`),
  ];
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
