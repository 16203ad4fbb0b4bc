import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";

/**
 * Draws a round's cohort uniformly without replacement from the eligible devices.
 *
 * More devices are invited than updates are wanted, because some will be lost (Bonawitz et al. 2019, arXiv 1902.01046,
 * section 9: 130 %).
 */
export function selectCohort(eligible: readonly DeviceId[], invited: number, random: SeededRandom): DeviceId[] {
  // In a fixed order, so that the draw depends on the seed and on who is eligible, not on who came first.
  const pool = [...eligible].sort();
  return Array.from(selectPlaces(pool.length, invited, random), (place) => pool[place]);
}

/** The same draw, as places in the sorted order of `eligible` devices: a large population is not listed for it. */
export function selectPlaces(eligible: number, invited: number, random: SeededRandom): Int32Array {
  return random.sample(eligible, Math.min(invited, eligible));
}
