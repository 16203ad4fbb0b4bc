import { DEVICE_TIERS, type DeviceTier } from "./device-tiers.ts";
import { type DrawKey, drawKey, drawUniforms, lognormalAt } from "./draws.ts";

/** What there is to train. */
export interface TrainingWork {
  /** Multiply-accumulates of one example's forward pass. */
  readonly forwardMacs: number;
  readonly examples: number;
  readonly batch: number;
  readonly epochs: number;
}

/** How fast each device of a fleet computes: functions of the device's number, drawn from the fleet's seed. */
export interface DeviceModel {
  tier(device: number): DeviceTier;
  /** FLOP per second that training reaches on it while it is cool. */
  rate(device: number): number;
  /** Milliseconds that it trains for in a round, its jitter and throttling included. */
  trainingTime(device: number, round: number, work: TrainingWork): number;
  /** Milliseconds for so many bytes of keystream to be drawn and added. */
  maskingTime(device: number, bytes: number): number;
}

export interface DeviceModelOptions {
  readonly seed: number | string;
  /** Multiplies every rate: 1 for phones of 2019 with a Java runtime, as measured; 3 for phones of 2024 and native code. */
  readonly era: number;
}

/** A backward pass costs twice a forward pass, and a multiply-accumulate is two FLOP. */
const TRAINING_FLOP_PER_MAC = 6;

/**
 * Keystream bytes in the time of one training FLOP: this project's masks run at 3.2 GB/s where its training runs at 40
 * GFLOP/s, on one core of a server; phones are assumed to be slower at both alike.
 */
const KEYSTREAM_BYTES_PER_FLOP = 0.08;

export function createDeviceModel({ seed, era }: DeviceModelOptions): DeviceModel {
  const device = drawKey(seed, "device");
  const jitter = drawKey(seed, "jitter");
  return {
    tier: (index) => tierOf(device, index),
    rate: (index) => era * rateOf(device, index),
    trainingTime(index, round, work) {
      const tier = tierOf(device, index);
      const rate = era * rateOf(device, index);
      drawUniforms(jitter, index, round, uniforms);
      return trainingTime(tier, rate, work, lognormalAt(uniforms[0], 1, tier.jitter));
    },
    maskingTime: (index, bytes) => (1000 * bytes) / (KEYSTREAM_BYTES_PER_FLOP * era * rateOf(device, index)),
  };
}

/** Milliseconds of ⌈n / B⌉ · E · (overhead + 6 · MAC · B / F) · jitter at work, and longer where the phone gets warm. */
export function trainingTime(tier: DeviceTier, rate: number, work: TrainingWork, jitter: number): number {
  const batches = Math.ceil(work.examples / work.batch) * work.epochs;
  const arithmetic = (1000 * TRAINING_FLOP_PER_MAC * work.forwardMacs * work.batch) / rate;
  const cool = batches * (tier.batchOverhead + arithmetic) * jitter;
  return Math.min(cool, tier.throttledAfter) + Math.max(0, cool - tier.throttledAfter) / tier.throttledRate;
}

/** Overwritten by each draw: read before another is made. */
const uniforms = new Float64Array(2);

function tierOf(key: DrawKey, device: number): DeviceTier {
  drawUniforms(key, device, 0, uniforms);
  let index = 0;
  let below = DEVICE_TIERS[0].share;
  while (uniforms[0] >= below && index < DEVICE_TIERS.length - 1) below += DEVICE_TIERS[++index].share;
  return DEVICE_TIERS[index];
}

function rateOf(key: DrawKey, device: number): number {
  const { rate, rateLogDeviation } = tierOf(key, device);
  // The second number of the draw that the tier was read from.
  return lognormalAt(uniforms[1], rate, rateLogDeviation);
}
