/** 97.5 % quantiles of Student's t, by degrees of freedom from 1. */
const STUDENT = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281];

export interface MeanInterval {
  readonly mean: number;
  /** Of the 95 % confidence interval of the mean; absent for one value, which has none. */
  readonly low?: number;
  readonly high?: number;
}

/** The mean and its 95 % confidence interval by Student's t, of a few measurements. */
export function meanInterval(values: readonly number[]): MeanInterval {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}

/** Beyond the table, the expansion of Abramowitz and Stegun 26.7.5 at the normal quantile 1.95996: right to 1e-4. */
function studentQuantile(freedom: number): number {
  return STUDENT[freedom - 1] ?? 1.95996 + 2.37227 / freedom + 2.8225 / freedom ** 2 + 2.5558 / freedom ** 3;
}
