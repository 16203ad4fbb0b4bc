import { FRAME_TYPES, frameType } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";

/** The stages at which a device can vanish: it does not send the answer that the stage waits for. */
export const DROPOUT_STAGES = ["configure", "train", "keys", "shares", "mask", "confirm", "unmask"] as const;
export type DropoutStage = (typeof DROPOUT_STAGES)[number];

export interface Vanishing {
  readonly stage: DropoutStage;
  /** Whether the connection closes (the coordinator sees it) or the device falls silent (the deadline passes). */
  readonly silent: boolean;
}

/**
 * Who vanishes when, drawn per (device, round, stage) from the experiment's seed: the same draw for any transport and
 * any number of workers. At each stage the chance is 1 − (1 − p)^(1/7), so that a device is lost in a round with
 * chance p.
 */
export function dropoutPlan(seed: number, rate: number): (round: number, device: DeviceId) => Vanishing | undefined {
  const chance = 1 - (1 - rate) ** (1 / DROPOUT_STAGES.length);
  return (round, device) => {
    if (rate === 0) return undefined;
    for (const stage of DROPOUT_STAGES) {
      const random = seededRandom(seed, `dropout-${stage}`, round, device);
      if (random.uniform() < chance) return { stage, silent: random.uniform() < 0.5 };
    }
    return undefined;
  };
}

/** The stage that a device's frame answers, or undefined where it answers none (DECLINE, ABORT). */
export function stageAnswered(frame: Uint8Array): DropoutStage | undefined {
  switch (frameType(frame)) {
    case FRAME_TYPES.accept:
      return "configure";
    case FRAME_TYPES.trained:
      return "train";
    case FRAME_TYPES.advertise:
      return "keys";
    case FRAME_TYPES.shares:
      return "shares";
    case FRAME_TYPES.masked:
    case FRAME_TYPES.plainUpdate:
      return "mask";
    case FRAME_TYPES.ack:
      return "confirm";
    case FRAME_TYPES.unmask:
      return "unmask";
    default:
      return undefined;
  }
}
