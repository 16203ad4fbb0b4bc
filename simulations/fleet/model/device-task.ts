import type { FleetModel } from "./fleet-model.ts";
import { radioEnergy } from "./network.ts";

/** What a round asks of each device. */
export interface DeviceTask {
  /** Multiply-accumulates of one example's forward pass: `forwardMacs` of the model. */
  readonly forwardMacs: number;
  readonly batch: number;
  readonly epochs: number;
  /** As on the wire: compressed, masked, with everything around them. */
  readonly downloadBytes: number;
  readonly uploadBytes: number;
  /** Keystream of all the masks that a device adds, its self-mask included; 0 without masks. */
  readonly maskBytes: number;
  /** A device with less memory declines. */
  readonly minimumMemory: number;
}

/** Bytes of memory that Google asks a phone for (Bonawitz et al. 2019). */
export const MINIMUM_MEMORY = 2 * 2 ** 30;

/** Milliseconds of each part of a device's task, in this order. */
export interface TaskTimes {
  readonly startUp: number;
  readonly download: number;
  readonly training: number;
  readonly masking: number;
  readonly upload: number;
  readonly total: number;
}

/** How long a device's task takes in a round, when nothing befalls it. */
export function taskTimes(
  { devices, network }: FleetModel,
  task: DeviceTask,
  device: number,
  round: number,
  examples: number,
): TaskTimes {
  const { startUp } = devices.tier(device);
  const download = network.transferTime(device, round, "down", task.downloadBytes);
  const training = devices.trainingTime(device, round, { ...task, examples });
  const masking = devices.maskingTime(device, task.maskBytes);
  const upload = network.transferTime(device, round, "up", task.uploadBytes);
  return { startUp, download, training, masking, upload, total: startUp + download + training + masking + upload };
}

/** Joules that a task takes from a device. */
export interface TaskEnergy {
  readonly computing: number;
  readonly radio: number;
  /** Both, as a share of the battery. */
  readonly ofBattery: number;
}

export function taskEnergy(
  { devices, network }: FleetModel,
  task: DeviceTask,
  device: number,
  times: TaskTimes,
): TaskEnergy {
  const { access } = network;
  const tier = devices.tier(device);
  const computing = (tier.trainingPower * (times.training + times.masking)) / 1000;
  // The radio falls asleep after a tail, if the upload has not begun by then.
  const tails = Math.min(access.tail, times.training + times.masking) + access.tail;
  const radio =
    radioEnergy(access, "down", task.downloadBytes, times.download) +
    radioEnergy(access, "up", task.uploadBytes, times.upload) +
    (access.tailPower * tails) / 1000;
  return { computing, radio, ofBattery: (computing + radio) / tier.battery };
}
