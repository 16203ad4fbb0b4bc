import { type DeviceTask, MINIMUM_MEMORY } from "../../../../simulations/fleet/model/device-task.ts";
import { createFleetModel, type FleetModel } from "../../../../simulations/fleet/model/fleet-model.ts";

/** A task of the 2NN: 600 examples take a second or less of arithmetic. */
export const TASK: DeviceTask = {
  forwardMacs: 198_800,
  batch: 10,
  epochs: 1,
  downloadBytes: 800_000,
  uploadBytes: 800_000,
  maskBytes: 0,
  minimumMemory: MINIMUM_MEMORY,
};

/** A fleet that is always there and where nothing fails: only the devices' speeds differ. */
export function steadyFleet(size: number): FleetModel {
  const fleet = createFleetModel({ size, seed: 1, availability: "always", computeError: 0 });
  return { ...fleet, network: { ...fleet.network, access: { ...fleet.network.access, loss: 0 } } };
}

/** The same fleet, where every device's task takes so many milliseconds. */
export function withTaskTime(fleet: FleetModel, milliseconds: number): FleetModel {
  const sixth = milliseconds / 6;
  return {
    ...fleet,
    devices: {
      ...fleet.devices,
      tier: (device) => ({ ...fleet.devices.tier(device), startUp: sixth }),
      trainingTime: () => 2 * sixth,
      maskingTime: () => sixth,
    },
    network: { ...fleet.network, transferTime: () => sixth },
  };
}
