/**
 * The least noise multiplier whose ε meets a target: ε falls as noise grows. Never a hair too little.
 *
 * @param epsilonOf ε of a noise multiplier
 * @throws {RangeError} where no noise reaches the target
 */
export function calibratedNoise(epsilonOf: (noiseMultiplier: number) => number, target: number): number {
  if (!(target > 0)) throw new RangeError(`an ε of ${target} cannot be reached`);
  let low = 0;
  let high = 1;
  while (epsilonOf(high) > target) {
    low = high;
    high *= 2;
    if (high > MOST_NOISE) throw new RangeError("no noise reaches the target");
  }
  if (low === 0) {
    low = high / 2;
    while (epsilonOf(low) <= target && low > LEAST_NOISE) {
      high = low;
      low /= 2;
    }
  }
  while (high - low > PRECISION * high) {
    const middle = (low + high) / 2;
    if (epsilonOf(middle) > target) low = middle;
    else high = middle;
  }
  return high;
}

const MOST_NOISE = 2 ** 30;
const LEAST_NOISE = 2 ** -10;
const PRECISION = 1e-9;
