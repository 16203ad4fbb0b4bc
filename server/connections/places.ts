import type { DealtSimulation } from "../../shared/protocol/connection-messages.ts";
import { type DeviceId, simulatedDeviceName } from "../../shared/protocol/ids.ts";

/** The names under which devices are let in. One name is one connection's at a time. */
export interface Places {
  /** A free place: the one that the device had last, where nobody has it now. Undefined when there is none. */
  take(last: string | undefined): Place | undefined;
  leave(device: DeviceId): void;
  readonly size: number;
}

export interface Place {
  readonly device: DeviceId;
  /** What is dealt to whoever has the place. */
  readonly simulation: DealtSimulation;
}

/** The places of a simulated fleet: to each belongs a part of the data, whichever device comes to hold it. */
export function simulatedPlaces(dealt: Omit<DealtSimulation, "index">): Places {
  const size = dealt.devices;
  const names = Array.from({ length: size }, (_, index) => simulatedDeviceName(index, size));
  const indices = new Map(names.map((name, index) => [name as string, index]));
  const taken = new Uint8Array(size);
  /** No place below it is free. */
  let lowest = 0;

  function lowestFree(): number | undefined {
    while (lowest < size && taken[lowest] === 1) lowest++;
    return lowest === size ? undefined : lowest;
  }

  return {
    size,
    take(last) {
      const before = last === undefined ? undefined : indices.get(last);
      const index = before !== undefined && taken[before] === 0 ? before : lowestFree();
      if (index === undefined) return undefined;
      taken[index] = 1;
      return { device: names[index], simulation: { ...dealt, index } };
    },
    leave(device) {
      const index = indices.get(device);
      if (index === undefined) return;
      taken[index] = 0;
      lowest = Math.min(lowest, index);
    },
  };
}
