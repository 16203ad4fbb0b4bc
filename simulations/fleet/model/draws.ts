import { exponential, naturalLog } from "../../../shared/random/elementary-functions.ts";
import { normalQuantile } from "../../../shared/random/normal-quantile.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { threefry2x32 } from "../../../shared/random/threefry.ts";

/**
 * What is drawn for the devices of a fleet is a function of its name, (fleet's seed, purpose, device, index): nothing
 * is kept per device, and what one device draws, or when, shifts nothing for another. The same on every host.
 */
export type DrawKey = Uint32Array;

/** The draws of a purpose: 64 bits of the experiment's stream of that name. */
export function drawKey(seed: number | string, purpose: string): DrawKey {
  const random = seededRandom(seed, `fleet-${purpose}`);
  return Uint32Array.of(random.uint32(), random.uint32());
}

const words = new Uint32Array(2);

/** Writes two uniform numbers in (0, 1), of 32 bits each, into `pair`. `device` and `index` are taken modulo 2^32. */
export function drawUniforms(key: DrawKey, device: number, index: number, pair: Float64Array): void {
  threefry2x32(key, device, index, words);
  pair[0] = (words[0] + 0.5) * TWO_POW_MINUS_32;
  pair[1] = (words[1] + 0.5) * TWO_POW_MINUS_32;
}

const TWO_POW_MINUS_32 = 2 ** -32;

/** The exponential distribution's value at probability 1 − u. */
export function exponentialAt(u: number, mean: number): number {
  return -mean * naturalLog(u);
}

/** The normal distribution's value at probability u, cut at `cut` standard deviations on either side. */
export function normalAt(u: number, mean: number, deviation: number, cut: number): number {
  return mean + deviation * Math.max(-cut, Math.min(cut, normalQuantile(u)));
}

/** The log-normal distribution's value at probability u. */
export function lognormalAt(u: number, median: number, logDeviation: number): number {
  return median * exponential(logDeviation * normalQuantile(u));
}
