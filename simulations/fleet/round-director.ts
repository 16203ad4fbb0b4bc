import type { AbortCode, DropReason } from "../../shared/protocol/reasons.ts";
import type { Vanishing } from "./dropout-plan.ts";

/** Decides what happens to the devices of a simulated fleet: who comes to a round, how long each takes, who is lost. */
export interface RoundDirector {
  /** The next round. Nobody is invited where nobody comes, or once the watch says stop. */
  open(round: number, watch: DirectorWatch): Promise<RoundScript>;
  /** What came of the round that was opened last: virtual time goes on from its end. */
  close(elapsed: number): void;
}

export interface DirectorWatch {
  /** Whether a device can be asked for an update of the round's model; absent: any can. */
  mayTake?(device: number): boolean;
  /** Lets the process's other events in, while a large fleet is asked. */
  breathe(): Promise<void>;
  stopped(): boolean;
}

/** What happens to a round's devices, all of it known before the round begins. */
export interface RoundScript {
  /** Places in the fleet. */
  readonly invited: readonly number[];
  /** Those of them that only pad the roster: they send a zero update. Absent: nobody does. */
  readonly pads?: ReadonlySet<number>;
  /** When they are invited, milliseconds of virtual time; undefined in a fleet that takes no time. */
  readonly at?: number;
  lost(device: number): Loss | undefined;
  /** Devices whose training came to nothing since the round before, by reason; none of them is invited. */
  readonly lostBefore?: Readonly<Partial<Record<DropReason, number>>>;
  readonly pace?: DevicePace;
  /** With what devices come that have trained already. */
  trainedFrom?(device: number): TrainedFrom;
}

/** How a device leaves a round. */
export interface Loss extends Vanishing {
  /** Milliseconds after the round's start; absent: when its answer would have come. */
  readonly after?: number;
  /** What it tells the coordinator; absent: nothing, its connection is gone, or seems to be there. */
  readonly declines?: AbortCode;
}

/** How long devices take, in virtual milliseconds: functions of the device and the round, never of the host. */
export interface DevicePace {
  /** From the round's start until the model has arrived, and until the device has trained. */
  accepted(device: number): number;
  trained(device: number): number;
  /** From a request of an exchange until the answer, of so many bytes, has arrived; `masks`: it makes its masks for it. */
  answer(device: number, bytes: number, masks: boolean): number;
}

/** From which of the earlier models a device trained that waited for others. */
export interface TrainedFrom {
  /** Rounds that have ended since: 0 is the current model. */
  readonly staleness: number;
}

/** A fleet that is always there, takes no time, and loses devices as the experiment's seed draws it. */
export function idealDirector(options: {
  /** Who of the fleet is invited, among those that can be. */
  select(round: number, mayTake: ((device: number) => boolean) | undefined): Pick<RoundScript, "invited" | "pads">;
  lost(round: number, device: number): Vanishing | undefined;
}): RoundDirector {
  return {
    async open(round, { mayTake }) {
      return { ...options.select(round, mayTake), lost: (device) => options.lost(round, device) };
    },
    close() {},
  };
}
