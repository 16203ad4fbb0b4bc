/** Two-sided 97.5 % quantiles of Student's t, by degrees of freedom from 1; of more, nearly 1.96 + 2.72 / them. */
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
  const half = (STUDENT[count - 2] ?? 1.96 + 2.72 / (count - 1)) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}
