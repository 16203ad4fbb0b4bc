import type {
  DeviceState,
  EventPayloads,
  RunEvent,
  RunSummary,
  SeriesPoint,
  StageCounts,
} from "../../shared/protocol/events.ts";
import type { DropReason, Stage } from "../../shared/protocol/reasons.ts";

/** What the events so far add up to: all that a view of a run needs to know. */
export interface RunProgress {
  readonly run: string;
  readonly summary?: RunSummary;
  readonly seed?: number;
  /** When this process began to work on it, milliseconds since 1970. */
  readonly startedAt?: number;
  /** The devices that are there, while a round waits for them. */
  readonly presence?: EventPayloads["fleet.presence"];
  /** The round that is under way. */
  readonly current?: CurrentRound;
  /** Rounds that were committed, in order. */
  readonly history: readonly SeriesPoint[];
  /** By the fleet's virtual clock, milliseconds: the first committed round's beginning, the last one's end. */
  readonly virtual?: { readonly from: number; readonly until: number };
  readonly abandoned: readonly { readonly round: number; readonly reason: string }[];
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly status?: string;
}

export interface CurrentRound {
  readonly round: number;
  readonly invited: number;
  readonly stage?: Stage;
  /** Devices that the stage waits for. */
  readonly expected: number;
  readonly counts: StageCounts;
  /** Of the devices of this round, by id. */
  readonly devices: ReadonlyMap<string, DeviceState>;
}

const NOTHING: StageCounts = { selected: 0, trained: 0, keyed: 0, masked: 0, shares: 0, lost: 0 };

export function emptyProgress(run: string): RunProgress {
  return { run, history: [], abandoned: [], drops: {} };
}

/** The progress after one more event. */
export function advance(progress: RunProgress, event: RunEvent): RunProgress {
  switch (event.type) {
    case "run.started":
      return { ...progress, summary: event.p.summary, seed: event.p.provenance.seed, startedAt: event.t };
    case "run.resumed":
      return { ...omitCurrent(progress), startedAt: event.t };
    case "run.done":
      return { ...omitCurrent(progress), status: event.p.status };
    case "fleet.presence":
      return { ...omitCurrent(progress), presence: event.p };
    case "round.started":
      return {
        ...omitCurrent(progress),
        current: {
          round: event.round ?? 0,
          invited: event.p.invited,
          expected: 0,
          counts: NOTHING,
          devices: new Map(),
        },
      };
    case "round.stage": {
      const { stage, expected, counts } = event.p;
      return withCurrent(progress, (current) => ({ ...current, stage, expected, counts }));
    }
    case "device.state": {
      const { changes } = event.p;
      return withCurrent(progress, (current) => ({ ...current, devices: new Map([...current.devices, ...changes]) }));
    }
    case "device.lost": {
      const { id, reason } = event.p;
      const drops = { ...progress.drops, [reason]: (progress.drops[reason] ?? 0) + 1 };
      return withCurrent({ ...progress, drops }, (current) => ({
        ...current,
        devices: new Map([...current.devices, [id, "lost" as const]]),
      }));
    }
    case "round.done":
      return { ...progress, history: [...progress.history, event.p], ...virtualClock(progress, event.p.virtual) };
    case "round.abandoned":
      return {
        ...progress,
        abandoned: [...progress.abandoned, { round: event.round ?? 0, reason: event.p.reason }],
      };
    case "log":
      return progress;
  }
}

function virtualClock(
  { virtual }: RunProgress,
  round: EventPayloads["round.done"]["virtual"],
): Pick<RunProgress, "virtual"> {
  if (round === undefined) return {};
  return { virtual: { from: virtual?.from ?? round.at, until: round.at + round.elapsed } };
}

function withCurrent(progress: RunProgress, change: (current: CurrentRound) => CurrentRound): RunProgress {
  return progress.current === undefined ? progress : { ...progress, current: change(progress.current) };
}

/** Neither in a round nor waiting for one. */
function omitCurrent({ current: _, presence: __, ...rest }: RunProgress): RunProgress {
  return rest;
}
