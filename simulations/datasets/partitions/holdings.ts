import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { type DealtExamples, type PartitionSpec, partitionExamples } from "./index.ts";
import type { Partition } from "./partition.ts";

/** Who holds which examples, by device: indices into the training set. */
export interface Holdings {
  readonly devices: number;
  /** Examples on the device that holds most. */
  readonly largest: number;
  size(device: number): number;
  examples(device: number): Int32Array;
}

/** How examples get onto devices: dealt, each to one device, or drawn by each device for itself. */
export type HoldingsSpec = PartitionSpec | DrawnSpec;

export interface DrawnSpec {
  readonly kind: "drawn";
  /** Examples on each device. */
  readonly perDevice: number;
}

/**
 * What the devices of an experiment hold, from its seed.
 * @throws {MurmurError} `partition-impossible` when there are too few examples.
 */
export function holdExamples(examples: DealtExamples, devices: number, seed: number, spec: HoldingsSpec): Holdings {
  if (spec.kind === "drawn") return drawn(examples.count, devices, seed, spec);
  return dealt(partitionExamples(examples, devices, seededRandom(seed, "partition"), spec));
}

function dealt(partition: Partition): Holdings {
  return {
    devices: partition.length,
    largest: partition.reduce((most, indices) => Math.max(most, indices.length), 0),
    size: (device) => partition[device].length,
    examples: (device) => partition[device],
  };
}

/**
 * Each device draws its examples uniformly, without repeating one, whatever others drew: a population larger than the
 * data set. A device is a function of its number: what nobody asks for is never drawn, and takes no memory.
 */
function drawn(examples: number, devices: number, seed: number, { perDevice }: DrawnSpec): Holdings {
  const count = Math.min(perDevice, examples);
  return {
    devices,
    largest: count,
    size: () => count,
    examples(device) {
      return seededRandom(seed, "holdings", undefined, device).sample(examples, count);
    },
  };
}
