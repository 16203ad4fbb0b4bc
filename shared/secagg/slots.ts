import { MurmurError } from "../protocol/errors.ts";

/** One metric as a coordinate of the masked vector. */
export interface SlotDeclaration<Name extends string = string> {
  readonly name: Name;
  /** Largest value, in the metric's unit; the smallest is 0. */
  readonly max: number;
  /** Ring units for one unit of the metric; 1 for counts, which are then exact. */
  readonly scale: number;
  /** What a device does with a value outside [0, max]: report the nearest bound, or refuse the round. */
  readonly excess: "clamp" | "error";
}

/** Slots in the order of their coordinates, which follow the update's. It is part of what a round agrees on. */
export interface SlotTable<Name extends string = string> {
  readonly slots: readonly SlotDeclaration<Name>[];
  /** The largest encoded value of any slot, for the ring's bound; 0 without slots. */
  readonly largest: number;
}

/**
 * Checks a table before anything is agreed.
 * @throws {RangeError} on a repeated name, a bound or scale that is not positive, or an encoded value beyond 2^31 − 1.
 */
export function createSlotTable<const Name extends string>(slots: readonly SlotDeclaration<Name>[]): SlotTable<Name> {
  const names = new Set<string>();
  for (const { name, max, scale } of slots) {
    if (names.has(name)) throw new RangeError(`the metric slot "${name}" is declared twice`);
    names.add(name);
    if (!(max > 0 && Number.isFinite(max) && scale > 0 && Number.isFinite(scale))) {
      throw new RangeError(`the metric slot "${name}" needs a positive largest value and scale`);
    }
    if (Math.round(max * scale) > 2 ** 31 - 1) {
      throw new RangeError(`the metric slot "${name}" encodes values up to ${max * scale}, beyond 2^31 - 1`);
    }
  }
  return { slots, largest: Math.max(0, ...slots.map(({ max, scale }) => Math.round(max * scale))) };
}

/**
 * Writes a device's metrics behind its update, from `target[firstCoordinate]` on. A metric that is not given is 0.
 *
 * A value is rounded to the nearest ring unit, deterministically: counts are exact, and any other metric of n devices is
 * off by at most n / (2 · scale). (The update's coordinates are rounded stochastically because their error would
 * otherwise be systematic and trained into the model; a metric's is bounded by its declared scale.)
 *
 * @throws {MetricRangeError} on a value out of range whose slot says "error"; on NaN or infinity always.
 */
export function encodeSlots<Name extends string>(
  table: SlotTable<Name>,
  metrics: Readonly<Partial<Record<Name, number>>>,
  target: Int32Array,
  firstCoordinate: number,
): void {
  if (firstCoordinate + table.slots.length > target.length) {
    throw new RangeError(`${table.slots.length} slots do not fit behind coordinate ${firstCoordinate}`);
  }
  table.slots.forEach((slot, index) => {
    const value = metrics[slot.name] ?? 0;
    const inRange = value >= 0 && value <= slot.max;
    if (!Number.isFinite(value) || (!inRange && slot.excess === "error")) throw new MetricRangeError(slot);
    target[firstCoordinate + index] = Math.round(Math.min(Math.max(value, 0), slot.max) * slot.scale);
  });
}

/** The sums of the metrics, from the coordinates of an unmasked sum. */
export function decodeSlots<Name extends string>(
  table: SlotTable<Name>,
  sum: Int32Array,
  firstCoordinate: number,
): Record<Name, number> {
  if (firstCoordinate + table.slots.length > sum.length) {
    throw new RangeError(`the sum has no ${table.slots.length} slots behind coordinate ${firstCoordinate}`);
  }
  const entries = table.slots.map(({ name, scale }, index) => [name, sum[firstCoordinate + index] / scale]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

/** A metric outside what its slot declares. Names the slot, never the value: it would be a per-device metric in clear. */
export class MetricRangeError extends MurmurError {
  readonly slot: string;

  constructor({ name, max }: SlotDeclaration) {
    super("metric-out-of-range", `The metric "${name}" is not a number from 0 to ${max}.`);
    this.slot = name;
  }
}
