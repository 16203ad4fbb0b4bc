import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { cutEvenly, type Partition } from "./partition.ts";

export interface ShardsOptions {
  /** Shards that each device gets; 2 in the paper. */
  readonly perDevice: number;
}

/**
 * The pathological non-IID partition (McMahan et al. 2017, section 3): sort the examples by label, cut them into
 * devices · perDevice shards, deal each device `perDevice` of them at random. On MNIST with 100 devices and 2 shards
 * each that is 200 shards of 300, and most devices see two digits only. Uses every example; shards differ by at most
 * one example.
 */
export function partitionShards(
  labels: ArrayLike<number>,
  devices: number,
  random: SeededRandom,
  { perDevice }: ShardsOptions,
): Partition {
  const sorted = Int32Array.from(labels, (_, index) => index).sort((a, b) => labels[a] - labels[b] || a - b);
  const shards = random.shuffle(cutEvenly(sorted, devices * perDevice, "shards"));
  return Array.from({ length: devices }, (_, device) =>
    concat(shards.slice(device * perDevice, (device + 1) * perDevice)),
  );
}

function concat(parts: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
