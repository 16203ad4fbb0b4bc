import type { DistributedEncoding } from "../../../shared/privacy/mechanisms/distributed-encoding.ts";
import { discreteGaussianSumRdp, skellamRdp } from "../../../shared/privacy/mechanisms/distributed-rdp.ts";
import type { NoiseKind } from "../../../shared/privacy/noise/noise-law.ts";

/**
 * A sum of integer shares costs a little more than one Gaussian of the same noise multiplier. How much depends on the model's
 * size, and a configuration is accounted before its model is known: it is charged this much more in advance, and a grid for
 * which it is not enough is refused.
 */
export const INTEGER_ALLOWANCE = { relative: 1e-4, absolute: 1e-9 } as const;

/** ε(α) of one release of distributed noise without sampling, before its grid is known. */
export function distributedRdp(noiseMultiplier: number): (order: number) => number {
  const { relative, absolute } = INTEGER_ALLOWANCE;
  return (order) => (order / (2 * noiseMultiplier ** 2)) * (1 + relative) + absolute;
}

const CHECKED_ORDERS = [2, 3, 4, 8, 16, 64, 256, 1024];

/** Whether a grid's shares cost no more than {@link distributedRdp} charges. */
export function isAccounted(kind: NoiseKind, encoding: DistributedEncoding, shares: number): boolean {
  const { bound, shareVariance, dimension } = encoding;
  const noise = { sensitivity: bound, shares, deviation: Math.sqrt(shareVariance), dimension };
  const exact = kind === "skellam" ? skellamRdp(noise) : discreteGaussianSumRdp(noise);
  const charged = distributedRdp((Math.sqrt(shares * shareVariance) / bound) * (1 + 1e-12));
  return CHECKED_ORDERS.every((order) => exact(order) <= charged(order));
}
