import type { DeviceModel } from "./device-model.ts";
import { drawKey, drawUniforms } from "./draws.ts";
import type { EligibleInterval } from "./eligibility.ts";

/** How full the battery of a device is, 0 … 1. */
export type BatteryModel = (device: number, at: number, charge: EligibleInterval) => number;

/** Watts: what phones of the measured years take from the charger they came with (assumed). */
const CHARGER_POWER = 10;
/** People plug in at any level, but neither empty nor full (assumed). */
const LOWEST = 0.05;
const HIGHEST = 0.95;

/** A level that is drawn for each charge, and fills from when the phone was plugged in. */
export function createBatteryModel(seed: number | string, devices: DeviceModel): BatteryModel {
  const key = drawKey(seed, "battery");
  const uniforms = new Float64Array(2);
  return (device, at, { pluggedInAt }) => {
    if (pluggedInAt === Number.NEGATIVE_INFINITY) return 1;
    // One charge of a device does not begin in the second of another.
    drawUniforms(key, device, Math.floor(pluggedInAt / 1000), uniforms);
    const level = LOWEST + (HIGHEST - LOWEST) * uniforms[0];
    const charged = (CHARGER_POWER * Math.max(0, at - pluggedInAt)) / 1000;
    return Math.min(1, level + charged / devices.tier(device).battery);
  };
}
