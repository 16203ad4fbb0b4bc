import type { LossDistribution } from "./pld.ts";

/**
 * The same distribution on a grid of twice the step, pessimistic: the mass of an odd place is divided between its
 * neighbours so that both its probability and its probability under Q, e^{−loss} times the first, stay what they are.
 * That is connecting the dots of the finer distribution.
 */
export function coarser({ interval, first, masses, infinite }: LossDistribution): LossDistribution {
  const coarseFirst = Math.floor(first / 2);
  const coarseLast = Math.ceil((first + masses.length - 1) / 2);
  const result = new Float64Array(coarseLast - coarseFirst + 1);
  // Of mass 1 at the middle: w up and 1 − w down with w·e^{−h} + (1 − w)·e^{h} = 1.
  const upwards = 1 / (1 + Math.exp(-interval));
  for (let i = 0; i < masses.length; i++) {
    const index = first + i;
    const place = Math.floor(index / 2) - coarseFirst;
    if (index % 2 === 0) result[place] += masses[i];
    else {
      result[place] += (1 - upwards) * masses[i];
      result[place + 1] += upwards * masses[i];
    }
  }
  return { interval: 2 * interval, first: coarseFirst, masses: result, infinite };
}
