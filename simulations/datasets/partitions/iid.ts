import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { cutEvenly, type Partition } from "./partition.ts";

/**
 * Every device's examples are a uniform draw from the training set: shuffled, then cut evenly (McMahan et al. 2017,
 * section 3). Uses every example; device counts differ by at most one.
 */
export function partitionIid(count: number, devices: number, random: SeededRandom): Partition {
  const order = random.shuffle(Int32Array.from({ length: count }, (_, index) => index));
  return cutEvenly(order, devices, "devices");
}
