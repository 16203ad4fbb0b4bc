import type { RoundFact } from "../../server/round.ts";
import type { DeviceState, StageCounts } from "../../shared/protocol/events.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { DropReason, Stage } from "../../shared/protocol/reasons.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { OWN_NAMES, type PublishedNames } from "./privacy/published-names.ts";

/** Turns a round's facts into events, and into what its record needs: drops by reason, seconds a stage. */
export interface RoundLog {
  selected(invited: readonly DeviceId[]): void;
  take(facts: readonly RoundFact[]): void;
  /** Enters a stage that the round itself does not know of. */
  enter(stage: Stage, expected: number): void;
  /** A text as it may leave the coordinator: devices are called what they are called in events. */
  publish(text: string): string;
  /** Ends the last stage. */
  close(survivors: readonly DeviceId[]): void;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly lost: number;
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
  /** Details of the devices that could not train, for the error that names them. */
  readonly trainingFailures: readonly string[];
}

/** What a device is shown as once it has answered a stage. */
const ANSWERED: Partial<Record<Stage, DeviceState>> = { configure: "training", train: "trained", mask: "masked" };

/** @param stopwatch milliseconds since some moment, by a clock that nobody sets */
export function createRoundLog(
  round: number,
  recorder: EventRecorder,
  stopwatch: () => number,
  namesOf: (roster: readonly DeviceId[]) => PublishedNames = () => OWN_NAMES,
): RoundLog {
  let names = OWN_NAMES;
  const drops: Partial<Record<DropReason, number>> = {};
  const seconds: Partial<Record<Stage, number>> = {};
  const trainingFailures: string[] = [];
  const counts = { selected: 0, trained: 0, keyed: 0, masked: 0, shares: 0, lost: 0 };
  let current: { readonly stage: Stage; readonly since: number } | undefined;

  function endStage(): void {
    if (current === undefined) return;
    seconds[current.stage] = (seconds[current.stage] ?? 0) + (stopwatch() - current.since) / 1000;
    current = undefined;
  }

  function enter(stage: Stage, expected: number): void {
    endStage();
    current = { stage, since: stopwatch() };
    recorder.emit("round.stage", { stage, expected, counts: { ...counts } satisfies StageCounts }, round);
    recorder.flush();
  }

  function answered(stage: Stage, device: DeviceId): void {
    if (stage === "train") counts.trained++;
    else if (stage === "keys") counts.keyed++;
    else if (stage === "mask") counts.masked++;
    else if (stage === "unmask") counts.shares++;
    const state = ANSWERED[stage];
    if (state !== undefined) recorder.emit("device.state", { changes: [[names.of(device), state]] }, round);
  }

  return {
    drops,
    seconds,
    trainingFailures,
    get lost() {
      return counts.lost;
    },
    publish: (text) => names.in(text),
    selected(invited) {
      names = namesOf(invited);
      counts.selected = invited.length;
      recorder.emit("round.started", { invited: invited.length }, round);
      recorder.emit(
        "device.state",
        { changes: invited.map((device) => [names.of(device), "selected"] as const) },
        round,
      );
    },
    take(facts) {
      for (const fact of facts) {
        switch (fact.kind) {
          case "stage":
            enter(fact.stage, fact.expected);
            break;
          case "answered":
            answered(fact.stage, fact.device);
            break;
          case "lost": {
            const { device, stage, reason, detail } = fact;
            drops[reason] = (drops[reason] ?? 0) + 1;
            counts.lost++;
            if (reason === "training-failed" && detail !== undefined) trainingFailures.push(detail);
            const id = names.of(device);
            const why = detail === undefined ? {} : { detail: names.in(detail) };
            recorder.emit("device.lost", { id, at: stage, reason, ...why }, round);
            recorder.emit("device.state", { changes: [[id, "lost"]] }, round);
            break;
          }
        }
      }
    },
    enter,
    close(survivors) {
      endStage();
      if (survivors.length > 0) {
        recorder.emit(
          "device.state",
          { changes: survivors.map((device) => [names.of(device), "summed"] as const) },
          round,
        );
      }
    },
  };
}
