import type { DeviceId } from "../../shared/protocol/ids.ts";
import { addInto } from "../fleet/training/fleet-trainer.ts";

/**
 * Whether the unmasked sum is the plain sum of the survivors' ring vectors, bit for bit. Only a process that owns every
 * device can ask this; a coordinator never could.
 */
export function plainSumEquals(
  sum: Int32Array,
  survivors: readonly DeviceId[],
  inputs: ReadonlyMap<DeviceId, Int32Array>,
  bits: number,
): boolean {
  const plain = new Int32Array(sum.length);
  for (const survivor of survivors) {
    const input = inputs.get(survivor);
    if (input === undefined || input.length !== sum.length) return false;
    addInto(plain, input);
  }
  return differences(plain, sum, 32 - bits) === 0;
}

/** Compared in the ring: both sides sign-extended from b bits. */
function differences(a: Int32Array, b: Int32Array, shift: number): number {
  let count = 0;
  for (let i = 0; i < a.length; i++) if ((a[i] << shift) >> shift !== b[i]) count++;
  return count;
}
