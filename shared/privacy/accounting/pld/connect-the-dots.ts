import { type GridPld, type LossDistribution, MAX_POINTS } from "./pld.ts";
import type { PrivacyCurve } from "./privacy-curve.ts";

/**
 * The least pessimistic distribution on a grid of losses: the one whose δ(ε) equals the mechanism's at every point of
 * the grid and is linear in e^ε between them, where the mechanism's is convex and hence below. Doroshenko, Ghazi,
 * Kamath, Kumar and Manurangsi, "Connect the dots: tighter discrete approximations of privacy loss distributions",
 * PETS 2022.
 *
 * Masses are second differences of δ. Those of positive losses are taken from δ_{P,Q}, those of negative losses from
 * δ_{Q,P}: the distribution of the pair in the other order has mass p·e^{−ℓ} at −ℓ where this one has mass p at ℓ, and
 * straight lines stay straight. So no mass is a difference of numbers next to 1.
 *
 * @param interval the grid's step; doubled until the grid has no more than {@link MAX_POINTS} points.
 * @throws {RangeError} for a step that is not positive, and where the losses are too large even so: there is next to no noise.
 */
export function connectTheDots(curve: PrivacyCurve, interval: number): GridPld {
  if (!(interval > 0 && interval < Number.POSITIVE_INFINITY))
    throw new RangeError(`a grid's step is positive, not ${interval}`);
  let step = interval;
  let above = gridEnd(curve.forward, step);
  let below = curve.forward === curve.backward ? above : gridEnd(curve.backward, step);
  while (above + below + 1 > MAX_POINTS) {
    step *= 2;
    above = Math.ceil(above / 2);
    below = Math.ceil(below / 2);
  }
  if (step > LARGEST_STEP) throw new RangeError(`losses of ${above * step} are beyond every grid: this is no privacy`);
  const up = halfGrid(curve.forward, step, above);
  if (curve.forward === curve.backward) return { kind: "grid", directions: [joined(up, up, step)] };
  const down = halfGrid(curve.backward, step, below);
  return { kind: "grid", directions: [joined(up, down, step), joined(down, up, step)] };
}

/** Below this, what is left of δ becomes the mass of an infinite loss. */
const NEGLIGIBLE_DELTA = 1e-22;

/** e^step has to be a number that differences of δ can be divided by. */
const LARGEST_STEP = 100;

/** The first point of the grid past 0 where δ is negligible. */
function gridEnd(delta: (epsilon: number) => number, step: number): number {
  let high = 1;
  while (delta(high * step) > NEGLIGIBLE_DELTA) high *= 2;
  let low = high === 1 ? 0 : high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (delta(middle * step) > NEGLIGIBLE_DELTA) low = middle;
    else high = middle;
  }
  return high;
}

interface HalfGrid {
  /** Masses of the losses step, 2·step, … */
  readonly masses: Float64Array;
  readonly infinite: number;
  /** δ(0) and δ(step). */
  readonly atZero: number;
  readonly atStep: number;
}

function halfGrid(delta: (epsilon: number) => number, step: number, points: number): HalfGrid {
  const masses = new Float64Array(points);
  const growth = Math.expm1(step);
  const atZero = delta(0);
  let before = atZero;
  let here = delta(step);
  const atStep = here;
  for (let i = 1; i < points; i++) {
    const next = delta((i + 1) * step);
    masses[i - 1] = (next - here - (1 + growth) * (here - before)) / growth;
    before = here;
    here = next;
  }
  masses[points - 1] = (before - here) / -Math.expm1(-step);
  return { masses, infinite: here, atZero, atStep };
}

/** Both halves, and between them the mass of loss 0, from δ(−step) = 1 − e^{−step} + e^{−step}·δ of the other order. */
function joined(up: HalfGrid, down: HalfGrid, step: number): LossDistribution {
  const below = down.masses.length;
  const masses = new Float64Array(below + 1 + up.masses.length);
  for (let i = 1; i <= below; i++) masses[below - i] = down.masses[i - 1] * Math.exp(-i * step);
  masses[below] = 1 + (up.atStep + down.atStep - (2 + Math.expm1(step)) * up.atZero) / Math.expm1(step);
  masses.set(up.masses, below + 1);
  return { interval: step, first: -below, masses, infinite: up.infinite };
}
