import { MurmurError } from "../../../shared/protocol/errors.ts";

/**
 * Which examples each device holds: per device, indices into the training set. No example is on two devices, and every
 * device has at least one.
 */
export type Partition = readonly Int32Array[];

/**
 * Cuts `items` into `parts` runs whose lengths differ by at most one.
 * @throws {MurmurError} `partition-impossible` when a run would be empty.
 */
export function cutEvenly(items: Int32Array, parts: number, partName: string): Int32Array[] {
  requireAtLeast(items.length, parts, partName);
  const boundary = (part: number): number => Math.floor((part * items.length) / parts);
  return Array.from({ length: parts }, (_, part) => items.slice(boundary(part), boundary(part + 1)));
}

/** @throws {MurmurError} `partition-impossible` when there are not enough examples for one a part. */
export function requireAtLeast(examples: number, parts: number, partName: string): void {
  if (examples >= parts) return;
  throw new MurmurError(
    "partition-impossible",
    `${examples} training examples cannot be cut into ${parts} ${partName}.`,
  );
}
