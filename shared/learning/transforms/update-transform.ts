import type { NoiseWords } from "../../privacy/noise/noise-words.ts";
import type { RoundMetric } from "../../secagg/metric-slots.ts";
import type { RoundingBits } from "../../secagg/quantise.ts";

/**
 * The way of one update through the transforms, in order on the device and in reverse on the server:
 *
 * ```
 *  device:  delta ─ clip ─ weight ─ quantise ─► ring vector (coordinates ‖ slots) ─► masks
 *  server:  mean  ◄ clip ◄ weight ◄ quantise ◄─ ring sum                          ◄─ unmasked
 * ```
 */
export type Update = FloatUpdate | RingUpdate;

/** A device's update before it is quantised. */
export interface FloatUpdate {
  readonly kind: "float";
  /** Trained parameters minus received parameters, one value a parameter. Transforms may overwrite it in place. */
  readonly values: Float32Array;
  /** What the device reports about itself, only ever as summed slots. */
  readonly metrics: Metrics;
}

/** The update as it is masked: coordinates, then metric slots, in the ring. */
export interface RingUpdate {
  readonly kind: "ring";
  readonly values: Int32Array;
}

/** The sum over the survivors, on its way back through the transforms. */
export type AggregateSum = RingSum | FloatSum;

export interface RingSum {
  readonly kind: "ring";
  readonly values: Int32Array;
  readonly survivors: number;
}

export interface FloatSum {
  readonly kind: "float";
  /** One value a parameter. Transforms may overwrite it in place. */
  readonly values: Float32Array;
  readonly metrics: Metrics;
  readonly survivors: number;
  /** Under adaptive clipping: the noised share of updates within the norm. */
  readonly withinNorm?: number;
}

/** The metrics of one device, or their sums. Each is one coordinate of the masked vector, or is not reported at all. */
export type Metrics = Readonly<Partial<Record<RoundMetric, number>>>;

/** What a transform may use on the device. */
export interface DeviceContext {
  /** Rounding bits: an experiment's, or the operating system's (`secure-aggregation.md` section 4). */
  readonly rounding: RoundingBits;
  /** Models that are newer than the one that the device trained from; absent: none. */
  readonly staleness?: number;
  /** The device only pads the roster: its update is zero, and says nothing. */
  readonly pads?: boolean;
  /**
   * What a device that makes noise makes it of; `elsewhere`: it makes none, because a simulation draws the noise of all
   * devices at once.
   */
  readonly noise?: NoiseWords | "elsewhere";
  /** Memory that the ring vector takes, of its length; absent: fresh memory. */
  readonly ring?: Int32Array;
}

/** What a transform may use on the server. */
export interface RoundContext {
  readonly round: number;
}

/**
 * Weighting, clipping, compression and privacy are all of this shape. Adding one is a file and the line in
 * `transforms/index.ts` that lists it.
 */
export interface UpdateTransform {
  /** Its canonical text. It is part of the agreement, so both sides are bound to the same transforms in one order. */
  readonly specification: string;
  /** How many coordinates it makes of so many; absent: as many. */
  readonly coordinates?: (given: number) => number;
  /** On the device, before masking. */
  encode(update: Update, context: DeviceContext): Update;
  /** On the server, after unmasking. */
  decode(sum: AggregateSum, context: RoundContext): AggregateSum;
}

export function expectFloatUpdate(update: Update, transform: string): FloatUpdate {
  if (update.kind !== "float") throw new Error(`${transform} must come before quantise`);
  return update;
}

export function expectFloatSum(sum: AggregateSum, transform: string): FloatSum {
  if (sum.kind !== "float") throw new Error(`${transform} must come before quantise`);
  return sum;
}
