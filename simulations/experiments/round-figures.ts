import type { AbandonReason, DropReason, Stage } from "../../shared/protocol/reasons.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";

/** What a run's rounds add up to. */
export interface RoundFigures {
  readonly committed: number;
  /** For a reason that lies in the run; not those that a person stopped. */
  readonly abandoned: number;
  /** Of the last model that was evaluated; null where none was. */
  readonly accuracy: number | null;
  readonly loss: number | null;
  /** Reasons that did not occur are absent. */
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  /** Devices whose training came to nothing between rounds; reasons that did not occur are absent. */
  readonly lostBetween: Readonly<Partial<Record<DropReason, number>>>;
  readonly secondsPerStage: Readonly<Partial<Record<Stage, number>>>;
  /** Mean over invited devices and rounds. */
  readonly bytesUpPerDevice: number;
  readonly bytesDownPerDevice: number;
  /** Every committed round's unmasked sum equalled the plain sum; null where nothing was compared. */
  readonly exact: boolean | null;
  /**
   * By the fleet's virtual clock, milliseconds: from the first round's beginning to the last one's end, and how long a
   * committed round took, the median; null without such a clock.
   */
  readonly virtual: { readonly from: number; readonly until: number; readonly medianRound: number } | null;
  /** Least and most updates in a sum; null before the first. */
  readonly survivors: readonly [number, number] | null;
}

/** Of rounds that somebody or something ended that is no part of the experiment: they do not come again. */
export const FROM_OUTSIDE: ReadonlySet<AbandonReason | undefined> = new Set(["stopped", "interrupted"]);

export function roundFigures(records: readonly RoundRecord[]): RoundFigures {
  const committed = records.filter(({ outcome }) => outcome === "committed");
  const abandoned = records.filter(({ outcome, reason }) => outcome === "abandoned" && !FROM_OUTSIDE.has(reason));
  const evaluated = committed.findLast(({ testLoss }) => testLoss !== undefined);
  const compared = committed.filter(({ exact }) => exact !== undefined);
  const survivors = committed.map((record) => record.survivors);
  const invited = total(records, (record) => record.invited);
  const perDevice = (bytes: number) => (invited === 0 ? 0 : bytes / invited);
  return {
    committed: committed.length,
    abandoned: abandoned.length,
    accuracy: evaluated?.accuracy ?? null,
    loss: evaluated?.testLoss ?? null,
    drops: summed(records.map(({ drops }) => drops)),
    lostBetween: summed(records.map(({ lostBefore = {} }) => lostBefore)),
    secondsPerStage: summed(records.map(({ seconds }) => seconds)),
    bytesUpPerDevice: perDevice(total(records, ({ bytesUp }) => bytesUp)),
    bytesDownPerDevice: perDevice(total(records, ({ bytesDown }) => bytesDown)),
    exact: compared.length === 0 ? null : compared.every(({ exact }) => exact === true),
    virtual: virtualFigures(records),
    survivors: survivors.length === 0 ? null : [Math.min(...survivors), Math.max(...survivors)],
  };
}

function virtualFigures(records: readonly RoundRecord[]): RoundFigures["virtual"] {
  const timed = records.flatMap(({ virtual, outcome }) => (virtual === undefined ? [] : [{ ...virtual, outcome }]));
  if (timed.length === 0) return null;
  const lengths = timed.filter(({ outcome }) => outcome === "committed").map(({ elapsed }) => elapsed);
  lengths.sort((a, b) => a - b);
  const { at, elapsed } = timed[timed.length - 1];
  return { from: timed[0].at, until: at + elapsed, medianRound: lengths[lengths.length >> 1] ?? 0 };
}

/** Devices that left a round, for whatever reason. */
export function lostDevices({ drops }: Pick<RoundRecord, "drops">): number {
  return total(Object.values(drops), (count) => count);
}

/** How long the host took over a round. */
export function roundSeconds({ seconds }: Pick<RoundRecord, "seconds">): number {
  return total(Object.values(seconds), (stage) => stage);
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
