import { MurmurError } from "../../../shared/protocol/errors.ts";
import { type BatteryModel, createBatteryModel } from "./battery.ts";
import { createDeviceModel, type DeviceModel } from "./device-model.ts";
import { alwaysEligible, type Eligibility } from "./eligibility.ts";
import { type ACCESS_NETWORKS, createNetworkModel, type NetworkModel } from "./network.ts";
import { phoneEligibility } from "./phone-week.ts";

export interface FleetModelOptions {
  /** Devices 0 … size − 1. */
  readonly size: number;
  readonly seed: number | string;
  /** Multiplies the devices' computing rates: 1 as measured in 2019, 3 for 2024 and native code. */
  readonly era?: number;
  /** What training traffic goes over. Phones are eligible on WiFi only, unless told otherwise. */
  readonly network?: keyof typeof ACCESS_NETWORKS;
  readonly availability?: (typeof AVAILABILITIES)[number];
  /** Chance of an error of the program while a device trains. */
  readonly computeError?: number;
  /** A device whose battery is lower declines, 0 … 1. Android warns at 15 %. */
  readonly minimumCharge?: number;
}

/** `phones`: idle, charging and on WiFi; `always`: every device at every time. */
export const AVAILABILITIES = ["phones", "always"] as const;

/**
 * A fleet: how fast its devices are, how they are connected, when they may train and what befalls them. Everything is a
 * function of (seed, device, round, time); nothing is kept, and a device costs no memory. Times are milliseconds of
 * virtual time.
 */
export interface FleetModel {
  readonly size: number;
  readonly seed: number | string;
  readonly devices: DeviceModel;
  readonly network: NetworkModel;
  readonly eligibility: Eligibility;
  readonly battery: BatteryModel;
  readonly computeError: number;
  readonly minimumCharge: number;
}

/** @throws {MurmurError} `config-invalid` for a size, factor or chance that is not one */
export function createFleetModel(options: FleetModelOptions): FleetModel {
  const { size, seed, era = 1, network = "wifi", availability = "phones" } = options;
  const { computeError = 0.01, minimumCharge = 0.15 } = options;
  if (!Number.isInteger(size) || size < 1 || size > 2 ** 32) throw invalid("number of devices", size);
  if (!(era > 0 && era < Number.POSITIVE_INFINITY)) throw invalid("era, a factor above 0", era);
  if (!(computeError >= 0 && computeError <= 1)) throw invalid("chance of an error", computeError);
  if (!(minimumCharge >= 0 && minimumCharge <= 1)) throw invalid("lowest charge, from 0 to 1", minimumCharge);
  const devices = createDeviceModel({ seed, era });
  return {
    size,
    seed,
    devices,
    network: createNetworkModel(seed, network),
    eligibility: availability === "phones" ? phoneEligibility(seed) : alwaysEligible(),
    battery: createBatteryModel(seed, devices),
    computeError,
    minimumCharge,
  };
}

function invalid(what: string, value: number): MurmurError {
  return new MurmurError("config-invalid", `The fleet's ${what}, cannot be ${value}.`);
}
