import type { ConnectionLoss } from "../../server/round.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { pick } from "./field-edits.ts";
import { type Material, type Mutant, mutate } from "./mutations.ts";
import { type Carriage, playSession } from "./session.ts";
import type { Setting } from "./setting.ts";
import type { Tally } from "./tally.ts";

/** Which of the frames that one device sends, or is sent, are changed. */
interface Plan {
  readonly direction: "up" | "down";
  readonly from: number;
  readonly to: number;
}

/**
 * Plays a round in which some devices cheat, and the connection of others is tampered with, each at a moment of its own.
 * Few of them, and the round ends in a sum that has to be right; more, and it has to end.
 */
export function attackSession(random: SeededRandom, tally: Tally, setting: Setting, material: Material): void {
  const { devices, shape } = setting;
  const spare = devices.length - shape.goal;
  const victims = random.below(4) === 0 ? random.below(devices.length + 1) : random.below(spare + 1);
  const chosen = random.shuffle([...devices]).slice(0, victims);
  const plans = new Map<DeviceId, Plan>(chosen.map((device) => [device, drawPlan(random)]));
  const seen = new Map<string, number>();
  const leaving = random.below(6) === 0 ? pick(random, devices) : undefined;
  const stopsAfter = random.below(40) === 0 ? random.below(100) : Number.POSITIVE_INFINITY;
  let deliveries = 0;

  function tampered(direction: Plan["direction"], device: DeviceId, frame: Uint8Array): Mutant | undefined {
    const name = `${direction} ${device}`;
    const number = seen.get(name) ?? 0;
    seen.set(name, number + 1);
    const plan = plans.get(device);
    if (plan?.direction === direction && number >= plan.from && number <= plan.to) {
      return mutate(random, frame, material);
    }
    // A frame of a round that the device is not in harms nobody.
    if (direction === "down" && number > 0 && random.below(12) === 0) {
      return { how: "sequence: after one of another session", frames: [pick(random, material.foreign), frame] };
    }
    return undefined;
  }

  const inDisorder = random.below(3) === 0;
  const carriage: Carriage = {
    up: (from, frame) => tampered("up", from, frame),
    down: (to, frame) => tampered("down", to, frame),
    failsTraining: () => random.below(50) === 0,
    next: (waiting) => (inDisorder ? random.below(waiting) : 0),
    between({ coordinator, disconnect }) {
      deliveries++;
      if (leaving !== undefined && random.below(60) === 0) disconnect(leaving, pick(random, LOSSES));
      if (deliveries > stopsAfter && !coordinator.isOver) coordinator.stop();
    },
  };
  const { coordinator } = playSession(setting, tally, carriage);
  tally.ended(`played, ${shape.mode}: ${coordinator.ending}`);
}

const LOSSES: readonly ConnectionLoss[] = ["disconnected", "malformed", "oversize", "deadline"];

/** A device sends ACCEPT, TRAINED and five answers, and is sent eight requests. */
function drawPlan(random: SeededRandom): Plan {
  const direction = random.below(2) === 0 ? "up" : "down";
  const from = random.below(direction === "up" ? 7 : 8);
  return { direction, from, to: random.below(2) === 0 ? from : Number.POSITIVE_INFINITY };
}
