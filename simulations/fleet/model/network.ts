import { exponential } from "../../../shared/random/elementary-functions.ts";
import { normalQuantile } from "../../../shared/random/normal-quantile.ts";
import { drawKey, drawUniforms } from "./draws.ts";

/** A kind of network: rates are bit/s, times milliseconds, powers watts. */
export interface AccessNetwork {
  readonly name: "wifi" | "lte";
  /** Medians over devices, and the standard deviations of their logarithms. */
  readonly down: number;
  readonly up: number;
  readonly downLogDeviation: number;
  readonly upLogDeviation: number;
  readonly roundTrip: number;
  /** Chance that an exchange with the coordinator fails. */
  readonly loss: number;
  /** Power of the radio: a base, and more for each Mbit/s. */
  readonly basePower: number;
  readonly powerPerMbitDown: number;
  readonly powerPerMbitUp: number;
  /** The radio stays up for so long after traffic, and at this power. */
  readonly tail: number;
  readonly tailPower: number;
}

/**
 * WiFi rates as FLASH traced them of 19 users (medians 35 and 26 Mbit/s, log deviations 0.47 and 0.68), rounded. LTE
 * rates and the power of both radios: Huang et al., "A close examination of performance and power characteristics of 4G
 * LTE networks", MobiSys 2012. LTE's deviation, the round trips and the losses are assumed.
 */
export const ACCESS_NETWORKS = {
  wifi: {
    name: "wifi",
    down: 35e6,
    up: 25e6,
    downLogDeviation: 0.5,
    upLogDeviation: 0.7,
    roundTrip: 20,
    loss: 0.005,
    basePower: 0.1329,
    powerPerMbitDown: 0.137,
    powerPerMbitUp: 0.2832,
    tail: 0,
    tailPower: 0,
  },
  lte: {
    name: "lte",
    down: 13e6,
    up: 6e6,
    downLogDeviation: 0.8,
    upLogDeviation: 0.8,
    roundTrip: 50,
    loss: 0.02,
    basePower: 1.288,
    powerPerMbitDown: 0.052,
    powerPerMbitUp: 0.4384,
    tail: 11_600,
    tailPower: 1.06,
  },
} as const satisfies Readonly<Record<string, AccessNetwork>>;

export type Direction = "down" | "up";

/** A device's own rates, bit/s. */
export interface Link {
  readonly down: number;
  readonly up: number;
}

/** How each device of a fleet is connected: functions of the device's number, drawn from the fleet's seed. */
export interface NetworkModel {
  readonly access: AccessNetwork;
  link(device: number): Link;
  /** Milliseconds that a round's model or update takes, with the variation of this one transfer. */
  transferTime(device: number, round: number, direction: Direction, bytes: number): number;
}

/** A device with a fast download mostly has a fast upload. */
const CORRELATION = 0.7;
/** A transfer's rate over the device's own: N(1, 0.4), and no less than a tenth. FLASH: sd/mean about 0.43. */
const TRANSFER_DEVIATION = 0.4;
const SLOWEST_TRANSFER = 0.1;

export function createNetworkModel(seed: number | string, name: keyof typeof ACCESS_NETWORKS): NetworkModel {
  const access: AccessNetwork = ACCESS_NETWORKS[name];
  const links = drawKey(seed, `link-${name}`);
  const transfers = drawKey(seed, `transfer-${name}`);
  const uniforms = new Float64Array(2);

  function link(device: number): Link {
    drawUniforms(links, device, 0, uniforms);
    const zDown = normalQuantile(uniforms[0]);
    const zUp = CORRELATION * zDown + Math.sqrt(1 - CORRELATION * CORRELATION) * normalQuantile(uniforms[1]);
    return {
      down: access.down * exponential(access.downLogDeviation * zDown),
      up: access.up * exponential(access.upLogDeviation * zUp),
    };
  }

  return {
    access,
    link,
    transferTime(device, round, direction, bytes) {
      const rate = link(device)[direction];
      drawUniforms(transfers, device, round, uniforms);
      const z = normalQuantile(uniforms[direction === "down" ? 0 : 1]);
      const variation = Math.max(SLOWEST_TRANSFER, 1 + TRANSFER_DEVIATION * z);
      return transferTime(access, rate * variation, bytes);
    },
  };
}

/** Milliseconds of a transfer at `rate` bit/s: asking for it, and its bytes. */
export function transferTime({ roundTrip }: AccessNetwork, rate: number, bytes: number): number {
  return roundTrip + (8000 * bytes) / rate;
}

/** Joules that the radio takes for so many bytes in so many milliseconds, without its tail. */
export function radioEnergy(access: AccessNetwork, direction: Direction, bytes: number, milliseconds: number): number {
  const megabits = (8 * bytes) / 1e6;
  const perMbit = direction === "down" ? access.powerPerMbitDown : access.powerPerMbitUp;
  // (base + perMbit · rate) · time, where rate · time is what was sent.
  return (access.basePower * milliseconds) / 1000 + perMbit * megabits;
}
