import { exponential } from "../../../shared/random/elementary-functions.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { type Partition, requireAtLeast } from "./partition.ts";

export interface QuantityOptions {
  /** Standard deviation σ ≥ 0 of the logarithm of a device's size: 0 is as even as it goes. */
  readonly sigma: number;
}

/**
 * Quantity skew: every device's examples are a uniform draw from the training set, and how many they are is log-normal,
 * n_k ∝ exp(σ z_k) with z_k standard normal, as in the synthetic data of FedProx (Li et al. 2020, arXiv 1812.06127,
 * appendix C.1, whose code draws the sizes by `lognormal(4, 2)`: σ = 2) and of LEAF. With σ = 2 the largest of 100 devices
 * holds about a fifth of everything. Uses every example; each device gets one, the rest are in proportion.
 */
export function partitionByQuantity(
  count: number,
  devices: number,
  random: SeededRandom,
  { sigma }: QuantityOptions,
): Partition {
  requireAtLeast(count, devices, "devices");
  const logWeights = Float64Array.from({ length: devices }, () => sigma * random.normal());
  // Scaled so that the largest weight is 1: however large σ is, the weights are finite and not all zero.
  const largest = logWeights.reduce((most, weight) => Math.max(most, weight), Number.NEGATIVE_INFINITY);
  const sizes = apportion(
    logWeights.map((weight) => exponential(weight - largest)),
    count - devices,
  );
  const order = random.shuffle(Int32Array.from({ length: count }, (_, index) => index));
  let start = 0;
  return Array.from(sizes, (size) => {
    const end = start + size + 1;
    const examples = order.slice(start, end);
    start = end;
    return examples;
  });
}

/**
 * Whole numbers in proportion to the weights that add up to `total`: each weight's quota rounded down, and what is left to
 * the largest remainders, the first of equals first (Hamilton's method).
 */
function apportion(weights: Float64Array, total: number): Int32Array {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const quotas = weights.map((weight) => (total * weight) / sum);
  const sizes = Int32Array.from(quotas, Math.floor);
  const left = total - sizes.reduce((all, size) => all + size, 0);
  const byRemainder = Int32Array.from(quotas, (_, device) => device).sort(
    (a, b) => quotas[b] - sizes[b] - (quotas[a] - sizes[a]) || a - b,
  );
  for (let i = 0; i < left; i++) sizes[byRemainder[i % byRemainder.length]]++;
  return sizes;
}
