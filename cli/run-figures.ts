import type { DropReason, Stage } from "../shared/protocol/reasons.ts";
import { STAGES } from "../shared/protocol/reasons.ts";
import type { RoundRecord } from "../shared/protocol/round-record.ts";
import type { StoredRun } from "./run-folders.ts";

/** What a run's rounds add up to. */
export interface RunFigures {
  readonly run: string;
  readonly status: string;
  readonly folder: string;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  /** Time at work: all stages of all rounds, without the pauses of a run that was stopped and resumed. */
  readonly seconds: number;
  readonly committed: number;
  readonly abandoned: number;
  /** Of the last model that was evaluated; null where none was. */
  readonly accuracy: number | null;
  readonly loss: number | null;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly secondsPerStage: Readonly<Partial<Record<Stage, number>>>;
  /** Mean over invited devices and rounds. */
  readonly bytesUpPerDevice: number;
  readonly bytesDownPerDevice: number;
  /** Every committed round's unmasked sum equalled the plain sum; null where nothing was compared. */
  readonly exact: boolean | null;
  /** Least and most updates in a sum; null before the first. */
  readonly survivors: readonly [number, number] | null;
  readonly modelHash: string | null;
}

export function runFigures({ folder, meta, status, rounds }: StoredRun): RunFigures {
  const committed = rounds.filter((round) => round.outcome === "committed");
  const evaluated = committed.findLast((round) => round.accuracy !== undefined);
  const compared = committed.filter((round) => round.exact !== undefined);
  const survivors = committed.map((round) => round.survivors);
  const invited = total(rounds, (round) => round.invited);
  const perDevice = (bytes: number) => (invited === 0 ? 0 : bytes / invited);
  const secondsPerStage = inStageOrder(summed(rounds.map((round) => round.seconds)));
  return {
    run: meta.run,
    status,
    folder,
    startedAt: new Date(meta.startedAt).toISOString(),
    seconds: total(Object.values(secondsPerStage), (seconds) => seconds),
    committed: committed.length,
    abandoned: rounds.length - committed.length,
    accuracy: evaluated?.accuracy ?? null,
    loss: evaluated?.testLoss ?? null,
    drops: summed(rounds.map((round) => round.drops)),
    secondsPerStage,
    bytesUpPerDevice: perDevice(total(rounds, (round) => round.bytesUp)),
    bytesDownPerDevice: perDevice(total(rounds, (round) => round.bytesDown)),
    exact: compared.length === 0 ? null : compared.every((round) => round.exact === true),
    survivors: survivors.length === 0 ? null : [Math.min(...survivors), Math.max(...survivors)],
    modelHash: committed.at(-1)?.modelHash ?? null,
  };
}

/** Devices that left a round, for whatever reason. */
export function lostDevices({ drops }: Pick<RoundRecord, "drops">): number {
  return total(Object.values(drops), (count) => count);
}

function total<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

function summed<Key extends string>(counts: readonly Partial<Record<Key, number>>[]): Partial<Record<Key, number>> {
  const sums: Partial<Record<Key, number>> = {};
  for (const record of counts) {
    for (const [key, value] of Object.entries(record) as [Key, number][]) sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}

function inStageOrder(seconds: Partial<Record<Stage, number>>): Partial<Record<Stage, number>> {
  return Object.fromEntries(STAGES.flatMap((stage) => (seconds[stage] === undefined ? [] : [[stage, seconds[stage]]])));
}
