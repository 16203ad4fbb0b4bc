import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { cutEvenly, type Partition } from "./partition.ts";

export interface NaturalOptions {
  /**
   * Owners that a device stands for, drawn at random; those of the others are not used. Absent: every owner is on a
   * device, and devices differ by at most one owner.
   */
  readonly perDevice?: number;
}

/**
 * The partition that the data comes with (Caldas et al. 2018, LEAF, arXiv 1812.01097): whoever an example belongs to, a
 * speaker or a column's value, is on one device with all of its examples. With as many devices as owners, or with
 * `perDevice: 1`, a device is one owner, as in the Shakespeare of McMahan et al. 2017, section 3.
 * @param keys the owner of each example, undefined where the dataset has none
 * @throws {MurmurError} `partition-impossible` without owners, and for fewer owners than devices need.
 */
export function partitionByKey(
  keys: Int32Array | undefined,
  devices: number,
  random: SeededRandom,
  { perDevice }: NaturalOptions,
): Partition {
  if (keys === undefined) {
    throw new MurmurError("partition-impossible", "The dataset does not say whose its examples are.", {
      hint: "Name a column as `task.dataset.key`, take a dataset with owners, or another `task.partition`.",
    });
  }
  const owners = examplesByOwner(keys);
  const needed = devices * (perDevice ?? 1);
  if (owners.length < needed) {
    throw new MurmurError(
      "partition-impossible",
      `${owners.length} owners of training examples cannot be ${devices} devices${perDevice === undefined || perDevice === 1 ? "" : ` of ${perDevice} owners each`}.`,
      { hint: `Lower \`fleet.devices\` to ${Math.floor(owners.length / (perDevice ?? 1))} or less.` },
    );
  }
  // In the order that they come in when there is nothing to deal: device i is then owner i.
  const order = Int32Array.from(owners, (_, owner) => owner);
  if (owners.length > devices) random.shuffle(order);
  const dealt =
    perDevice === undefined
      ? cutEvenly(order, devices, "devices")
      : Array.from({ length: devices }, (_, device) => order.slice(device * perDevice, (device + 1) * perDevice));
  return dealt.map((mine) => Int32Array.from(Array.from(mine, (owner) => owners[owner]).flat()));
}

/** By owner, in the owners' order, the examples of each owner that has some. */
function examplesByOwner(keys: Int32Array): number[][] {
  const byOwner = new Map<number, number[]>();
  for (let index = 0; index < keys.length; index++) {
    const mine = byOwner.get(keys[index]);
    if (mine === undefined) byOwner.set(keys[index], [index]);
    else mine.push(index);
  }
  return [...byOwner].sort(([a], [b]) => a - b).map(([, examples]) => examples);
}
