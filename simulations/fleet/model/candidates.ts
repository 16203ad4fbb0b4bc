import { seededRandom } from "../../../shared/random/seeded-random.ts";
import type { FleetModel } from "./fleet-model.ts";
import { randomOrder } from "./random-order.ts";

export interface SelectionRequest {
  readonly round: number;
  /** When the selection opens, milliseconds of virtual time. */
  readonly at: number;
  /** Devices wanted: the goal times the over-selection. */
  readonly invited: number;
  /** How long the selection waits for more to come, when too few are there. */
  readonly window: number;
  /** Whether a device stays away at a time, because it was told to or is at work already. */
  isAway(device: number, at: number): boolean;
}

export interface Selection {
  /** In the order of the draw, those that had to be waited for last. */
  readonly devices: readonly number[];
  /** `at` when enough were there; else when the last one came, or the window ended with too few. */
  readonly closesAt: number;
}

/**
 * Draws a round's devices uniformly without replacement from those that are eligible when the selection opens: devices
 * are asked in a random order until there are enough, so a round costs invited / (share eligible) questions, whatever the
 * fleet's size. Where the whole fleet has too few, those follow that become eligible within the window, in the order in
 * which they do.
 */
export function selectCandidates(fleet: FleetModel, request: SelectionRequest): Selection {
  const { round, at, invited, window } = request;
  const devices: number[] = [];
  const toCome: { readonly device: number; readonly start: number }[] = [];
  for (const device of randomOrder(fleet.size, seededRandom(fleet.seed, "fleet-selection", round))) {
    if (devices.length === invited) break;
    const interval = fleet.eligibility.next(device, at);
    if (interval === undefined || interval.start > at + window) continue;
    const start = Math.max(at, interval.start);
    if (request.isAway(device, start)) continue;
    if (start === at) devices.push(device);
    else toCome.push({ device, start });
  }
  if (devices.length === invited) return { devices, closesAt: at };
  // The sort is stable: of two that come at once, the one drawn first.
  toCome.sort((a, b) => a.start - b.start);
  const waitedFor = toCome.slice(0, invited - devices.length);
  devices.push(...waitedFor.map(({ device }) => device));
  const last = waitedFor[waitedFor.length - 1];
  return { devices, closesAt: devices.length === invited && last !== undefined ? last.start : at + window };
}
