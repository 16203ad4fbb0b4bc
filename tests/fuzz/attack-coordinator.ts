import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { pick } from "./field-edits.ts";
import { type Material, mutate } from "./mutations.ts";
import type { Recording } from "./recording.ts";
import { checkEnding } from "./sum-oracle.ts";
import type { Tally } from "./tally.ts";
import { must, type Target } from "./target.ts";
import { watchRound } from "./watched-round.ts";

/** A device that cheats, and what it would honestly send next. */
export interface Attacker {
  readonly device: DeviceId;
  readonly awaited: readonly Uint8Array[];
}

/** Brings a coordinator to some stage of a recorded round and lets any number of its devices send mutants there. */
export async function attackCoordinator(
  random: SeededRandom,
  tally: Tally,
  { setting, stages, inputs }: Recording,
  material: Material,
): Promise<void> {
  const round = watchRound(setting);
  const attacked = random.below(stages.length);
  for (const { answers } of stages.slice(0, attacked)) {
    for (const [device, frames] of answers) {
      tally.about = { reader: "coordinator", how: "as it was recorded", frame: frames[0] };
      const reactions = round.take(device, frames.map(copy));
      must(
        reactions.every(({ kind }) => kind === "taken"),
        `an honest frame of ${device} is refused in ${round.stage}`,
      );
    }
  }
  must(round.stage === stages[attacked].stage, `${round.stage}, where it was ${stages[attacked].stage} before`);
  const attackers = [...stages[attacked].answers].map(([device, awaited]) => ({ device, awaited }));
  random.shuffle(attackers);
  const some = random.below(2) === 0 ? attackers.length : 1 + random.below(attackers.length);
  const answered = await attackStage(random, tally, round, attackers.slice(0, some), material);

  if (random.below(3) > 0) {
    for (const { answers } of stages.slice(attacked)) {
      for (const [device, frames] of answers) {
        if (!answered.delete(device)) round.take(device, frames.map(copy));
      }
    }
  }
  if (random.below(10) === 0) {
    must((await round.take(STRANGER, [pick(random, material.session)]))[0].kind === "unread", "a stranger is heard");
  }
  if (random.below(20) === 0) round.stop();
  while (!round.isOver) round.passTime();
  checkEnding(setting, round, inputs);
  tally.ended(`replayed: ${round.ending}`);
}

const STRANGER = "nobody" as DeviceId;

/** @returns who is still in, and was not silent */
export async function attackStage(
  random: SeededRandom,
  tally: Tally,
  target: Target,
  attackers: readonly Attacker[],
  material: Material,
): Promise<Set<DeviceId>> {
  const answered = new Set<DeviceId>();
  for (const { device, awaited } of attackers) {
    // Of an upload in several frames, the first ones may be good.
    const good = random.below(awaited.length);
    if (good > 0) await target.take(device, awaited.slice(0, good).map(copy));
    for (let attempts = 1 + random.below(3); attempts > 0; attempts--) {
      const base = random.below(6) === 0 ? pick(random, material.session) : awaited[good];
      const { how, frames } = mutate(random, base, material);
      if (frames.length === 0) continue;
      tally.about = { reader: "coordinator", how, frame: frames[0] };
      const reactions = await target.take(device, frames.map(copy));
      for (const [i, reaction] of reactions.entries()) {
        if (frames[i] !== awaited[good] || i > 0) tally.count("coordinator", how, reaction);
        if (reaction.kind === "taken") answered.add(device);
      }
      if (reactions.some(({ kind }) => kind === "refused")) {
        answered.delete(device);
        break;
      }
    }
  }
  return answered;
}

/** The receiver owns its bytes. */
function copy(frame: Uint8Array): Uint8Array {
  return frame.slice();
}
