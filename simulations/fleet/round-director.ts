import type { AbortCode, DropReason, Stage } from "../../shared/protocol/reasons.ts";
import type { Vanishing } from "./dropout-plan.ts";

/** Decides what happens to the devices of a simulated fleet: who comes to a round, how long each takes, who is lost. */
export interface RoundDirector {
  /**
   * The next round.
   * @param mayTake whether a device can be asked for an update of the round's model; absent: any can
   */
  open(round: number, mayTake?: (device: number) => boolean): RoundScript;
  /** What came of the round that was opened last: virtual time goes on from its end. */
  close(elapsed: number): void;
}

/** What happens to a round's devices, all of it known before the round begins. */
export interface RoundScript {
  /** Places in the fleet. */
  readonly invited: readonly number[];
  /** When they are invited, milliseconds of virtual time; undefined in a fleet that takes no time. */
  readonly at?: number;
  lost(device: number): Loss | undefined;
  /** Devices that were lost since the round before, none of them invited. */
  readonly lostBefore?: readonly LostBefore[];
  readonly pace?: DevicePace;
  /** Milliseconds that the devices have to train; absent: as the configuration says. */
  readonly reporting?: number;
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

/** A device whose training came to nothing between two rounds. */
export interface LostBefore {
  readonly device: number;
  readonly stage: Stage;
  readonly reason: DropReason;
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
  select(round: number, mayTake: ((device: number) => boolean) | undefined): readonly number[];
  lost(round: number, device: number): Vanishing | undefined;
}): RoundDirector {
  return {
    open(round, mayTake) {
      return { invited: options.select(round, mayTake), lost: (device) => options.lost(round, device) };
    },
    close() {},
  };
}
