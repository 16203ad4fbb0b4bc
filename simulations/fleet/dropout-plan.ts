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
