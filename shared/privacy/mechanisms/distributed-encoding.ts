import { normalTail } from "../accounting/normal-tail.ts";
import { roundedNormBound } from "./conditional-rounding.ts";
import { paddedLength } from "./hadamard.ts";

/** How updates get onto a grid of whole numbers, and how much noise each device adds there. */
export interface DistributedEncoding {
  /** d: coordinates, padded to a power of two. */
  readonly dimension: number;
  /** s = 1/γ: units of the grid in one unit of the update. */
  readonly scale: number;
  /** B: the most that a device adds to the sum without its noise, L2 norm in units of the grid. */
  readonly bound: number;
  /** σ²: variance of a device's share, a whole number of the grid's units squared; 0: none. */
  readonly shareVariance: number;
  /** Chance that a coordinate of the sum of all devices wraps around in the ring: it costs accuracy, not privacy. */
  readonly wrapProbability: number;
}

export interface DistributedSetting {
  /** Coordinates of the update. */
  readonly coordinates: number;
  /** c: the clip norm. */
  readonly clip: number;
  /** z: noise of the shares that are counted on, over the sensitivity; 0: none. */
  readonly noiseMultiplier: number;
  /** b: the ring is Z_{2^b}. */
  readonly bits: number;
  /** n_fix: devices that send something. */
  readonly roster: number;
  /** Shares that are counted on: u_min less those that may be corrupted. */
  readonly counted: number;
}

/** Standard deviations of a coordinate of the sum that the ring holds (Kairouz et al. 2021, section 4). */
const DEVIATIONS = 4;

/**
 * The grid of Kairouz, Liu and Steinke 2021 (arXiv 2102.06387, section 4): as fine as k deviations of the sum leave room
 * for in the ring; after a random rotation a coordinate of the sum deviates by c √(n² / d) at most but for its noise.
 *
 * ```
 *  s = √(2^{2b} − n k²) / (2 k √(c² n² / d + n σ²)),   σ² = (z c)² / counted
 * ```
 *
 * Shares are rounded up, so that those counted on always add up to z · B (`privacy.md` 1.6).
 * @throws {RangeError} where the ring is too narrow for so many devices, or so narrow that a share of the noise is lost in
 * the grid
 */
export function distributedEncoding(setting: DistributedSetting): DistributedEncoding {
  const { coordinates, clip, noiseMultiplier, bits, roster, counted } = setting;
  const dimension = paddedLength(coordinates);
  const room = 2 ** (2 * bits) - roster * DEVIATIONS ** 2;
  if (room <= 0) throw new RangeError(`a ring of ${bits} bits is too narrow for ${roster} devices`);
  if (noiseMultiplier > 0 && counted < 1) throw new RangeError("no share of the noise can be counted on");
  const noise = noiseMultiplier === 0 ? 0 : (roster * (noiseMultiplier * clip) ** 2) / counted;
  const scale = Math.sqrt(room) / (2 * DEVIATIONS * Math.sqrt((clip * roster) ** 2 / dimension + noise));
  const bound = roundedNormBound(clip * scale, dimension);
  const shareVariance = noiseMultiplier === 0 ? 0 : Math.ceil((noiseMultiplier * bound) ** 2 / counted);
  const spread = Math.sqrt((clip * scale * roster) ** 2 / dimension + roster * (shareVariance + 1 / 4));
  return { dimension, scale, bound, shareVariance, wrapProbability: 2 * normalTail(2 ** (bits - 1) / spread) };
}
