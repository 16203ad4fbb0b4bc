import type { SeededRandom } from "../../../shared/random/seeded-random.ts";

/**
 * The numbers 0 … size − 1 in a uniformly random order, each drawn when it is asked for: Fisher and Yates's shuffle that
 * stores only the places it has touched, so that k numbers of a million cost O(k).
 */
export function* randomOrder(size: number, random: SeededRandom): Generator<number, void, void> {
  const moved = new Map<number, number>();
  for (let place = 0; place < size; place++) {
    const other = place + random.below(size - place);
    yield moved.get(other) ?? other;
    moved.set(other, moved.get(place) ?? place);
    moved.delete(place);
  }
}
