import type { RoundAbandoned, RoundFact } from "../../server/round.ts";
import type { Broadcast } from "../../server/task.ts";
import type { Aggregate } from "../../shared/learning/algorithms/index.ts";
import type { FloatSum, Metrics } from "../../shared/learning/transforms/update-transform.ts";
import type { EventPayloads, RunEvent } from "../../shared/protocol/events.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { DropReason } from "../../shared/protocol/reasons.ts";
import type { StopSignal } from "../../shared/time/stop-signal.ts";
import type { Experiment } from "./experiment.ts";

/** An experiment and the devices that take part in it, in this process or on sockets, ready to play rounds. */
export interface Federation {
  readonly experiment: Experiment;
  /**
   * Waits until a round on this model can begin. No round's number is spent before.
   * @throws {MurmurError} model-exhausted when no round ever can
   */
  ready(broadcast: Broadcast, watch: ReadyWatch): Promise<"ready" | "stopped">;
  /** Plays one round with the devices that are there. */
  play(round: number, broadcast: Broadcast, observer: RoundObserver): Promise<PlayedRound>;
  /** Hears every event of the run. */
  onEvent?(event: RunEvent): void;
  dispose(): Promise<void>;
}

export interface ReadyWatch {
  readonly stop: StopSignal;
  onPresence(presence: EventPayloads["fleet.presence"]): void;
}

export interface RoundObserver {
  /** Who is in the round, before anything is sent. */
  onSelected(invited: readonly DeviceId[]): void;
  onFacts(facts: readonly RoundFact[]): void;
  /** A device's engine failed; the round goes on without it. */
  onTrainingError(device: DeviceId, error: unknown): void;
  /** Before masks are asked for: from then on the round's sum may be opened. */
  beforeMasks?(): void;
  /** Lets the process's other events in. */
  breathe(): Promise<void>;
  readonly stop: StopSignal;
  /** Milliseconds since the epoch, at the round's start. */
  readonly startsAt: number;
}

export interface PlayedRound {
  readonly invited: number;
  /** Application bytes, over all devices. */
  readonly traffic: { readonly bytesUp: number; readonly bytesDown: number };
  /** By the fleet's virtual clock, milliseconds; absent without one. */
  readonly virtual?: { readonly at: number; readonly elapsed: number };
  /** Devices whose training came to nothing since the round before, by reason; none of them was invited. */
  readonly lostBefore?: Readonly<Partial<Record<DropReason, number>>>;
  readonly outcome: SummedOutcome | ({ readonly kind: "abandoned" } & RoundAbandoned);
}

export interface SummedOutcome {
  readonly kind: "summed";
  readonly aggregate: Aggregate;
  /** Summed metric slots. */
  readonly metrics: Metrics;
  readonly survivors: readonly DeviceId[];
  /**
   * The unmasked sum equals the plain sum of the survivors' quantised updates, bit for bit; absent where no process owns
   * all devices, and nobody can ask.
   */
  readonly exact?: boolean;
}

/** The outcome of a round's sum, once the transforms' server halves have run over it. */
export function summedOutcome(
  { values, metrics, withinNorm }: FloatSum,
  survivors: readonly DeviceId[],
  exact?: boolean,
): SummedOutcome {
  const aggregate = {
    delta: values,
    weight: metrics.weight ?? 0,
    survivors: survivors.length,
    ...(withinNorm === undefined ? {} : { withinNorm }),
  };
  return { kind: "summed", aggregate, metrics, survivors, ...(exact === undefined ? {} : { exact }) };
}
