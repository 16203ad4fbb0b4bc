/** What a threshold can be about: the figures of a finished run. */
export const THRESHOLD_METRICS = {
  accuracy: "share of the test set that the final model gets right, 0 to 1; of predicted numbers there is none",
  loss: "mean loss of the final model on the test set; of cross-entropies, in nats",
  rounds: "rounds committed",
  abandoned: "rounds abandoned",
  dropped: "devices that left a round before it was done, over all rounds",
  seconds: "wall-clock seconds of the whole run",
  bytesUp: "bytes that a device sent, mean over devices and rounds",
  bytesDown: "bytes that a device received, mean over devices and rounds",
} as const;
export type ThresholdMetric = keyof typeof THRESHOLD_METRICS;

const COMPARISONS = {
  ">=": (value: number, limit: number) => value >= limit,
  "<=": (value: number, limit: number) => value <= limit,
  ">": (value: number, limit: number) => value > limit,
  "<": (value: number, limit: number) => value < limit,
  "==": (value: number, limit: number) => value === limit,
} as const;
type Comparison = keyof typeof COMPARISONS;

/** A claim that a run must meet, written `accuracy >= 0.90`. */
export interface Threshold {
  readonly metric: ThresholdMetric;
  readonly comparison: Comparison;
  readonly limit: number;
}

export interface ThresholdResult {
  /** As it is written in the configuration. */
  readonly expression: string;
  readonly metric: ThresholdMetric;
  readonly comparison: Comparison;
  readonly limit: number;
  readonly value: number;
  /** True when the run meets it. */
  readonly ok: boolean;
}

const PATTERN = /^\s*([A-Za-z]+)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*$/;

/** The threshold, or undefined when `expression` is not one. */
export function parseThreshold(expression: string): Threshold | undefined {
  const match = PATTERN.exec(expression);
  if (match === null || !Object.hasOwn(THRESHOLD_METRICS, match[1])) return undefined;
  return { metric: match[1] as ThresholdMetric, comparison: match[2] as Comparison, limit: Number(match[3]) };
}

/** Holds a run's figures against its thresholds. A figure that is NaN meets none. */
export function evaluateThresholds(
  expressions: readonly string[],
  figures: Readonly<Record<ThresholdMetric, number>>,
): ThresholdResult[] {
  return expressions.map((expression) => {
    const threshold = parseThreshold(expression);
    if (threshold === undefined) throw new Error(`not a threshold: ${expression}`);
    const value = figures[threshold.metric];
    return { expression, ...threshold, value, ok: COMPARISONS[threshold.comparison](value, threshold.limit) };
  });
}
