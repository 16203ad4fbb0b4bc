import type { DeviceId } from "../../../shared/protocol/ids.ts";

/** What a round's devices are called in everything that leaves the coordinator. */
export interface PublishedNames {
  of(device: DeviceId): string;
  /** A text with every device's name as it is published. */
  in(text: string): string;
}

/** Without differential privacy devices are called what they are. */
export const OWN_NAMES: PublishedNames = { of: (device) => device, in: (text) => text };

/**
 * Under differential privacy only places in the roster are named, which is shuffled anew in each round: who was in a
 * round is what its Poisson coins hide (`privacy.md` 1.9, rule 1).
 *
 * @param roster in its shuffled order
 */
export function slotNames(roster: readonly DeviceId[]): PublishedNames {
  const digits = String(roster.length).length;
  const slots = new Map(roster.map((device, slot) => [device, `slot-${String(slot + 1).padStart(digits, "0")}`]));
  const of = (device: DeviceId): string => {
    const slot = slots.get(device);
    if (slot === undefined) throw new Error(`${device} is not in the roster`);
    return slot;
  };
  return {
    of,
    in: (text) => [...slots].reduce((named, [device, slot]) => named.replaceAll(device, slot), text),
  };
}
