import type { SecureRandom } from "../../../shared/random/secure-random.ts";
import { type SeededRandom, seededRandom } from "../../../shared/random/seeded-random.ts";

/** A round's devices: the Poisson cohort, and those that pad it to a constant number, in an order that tells nothing. */
export interface DrawnRoster {
  /** Places in the fleet. */
  readonly members: readonly number[];
  /** Those of them that send a zero update. Known to the coordinator and to themselves. */
  readonly pads: ReadonlySet<number>;
}

/** Where a round's coins come from: an experiment's seed, or the operating system. */
export type Coins = Pick<SeededRandom, "uniform" | "below">;

export function seededCoins(seed: number, round: number): Coins {
  return seededRandom(seed, "poisson", round);
}

/** @param random of the operating system */
export function secureCoins(random: SecureRandom): Coins {
  const uint32 = (): number => new DataView(random.bytes(4).buffer).getUint32(0);
  return {
    uniform: () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) * 2 ** -53,
    below(bound) {
      // Only whole multiples of the bound are kept, so every residue is equally likely.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let value = uint32();
      while (value >= limit) value = uint32();
      return value % bound;
    },
  };
}

/**
 * Draws each device with probability q, independently of the others (Poisson sampling; McMahan et al. 2018, arXiv
 * 1710.06963, section 2), and pads the cohort to `size` with others (`privacy.md` 1.9, rule 1). A cohort that is larger
 * than the roster is cut at random, and that chance is part of δ.
 *
 * @param eligible places in the fleet, in a fixed order
 * @param isSpent a device that is not drawn any more, whatever its coin says, and may only pad
 */
export function drawRoster(
  eligible: readonly number[],
  sampling: number,
  size: number,
  coins: Coins,
  isSpent: (device: number) => boolean = () => false,
): DrawnRoster {
  const drawn: number[] = [];
  const others: number[] = [];
  for (const device of eligible) {
    const isHeads = coins.uniform() < sampling;
    (isHeads && !isSpent(device) ? drawn : others).push(device);
  }
  const cohort = shuffled(drawn, coins).slice(0, size);
  const pads = shuffled(others, coins).slice(0, size - cohort.length);
  return { members: shuffled([...cohort, ...pads], coins), pads: new Set(pads) };
}

/** Fisher and Yates. */
function shuffled(items: readonly number[], coins: Coins): number[] {
  const list = [...items];
  for (let last = list.length - 1; last > 0; last--) {
    const other = coins.below(last + 1);
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}
