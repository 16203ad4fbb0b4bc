/** A class of phones. Times are milliseconds, energies joules, sizes bytes. */
export interface DeviceTier {
  readonly name: "flagship" | "mid" | "low";
  readonly share: number;
  /** Median FLOP per second that training reaches, and the standard deviation of its logarithm inside the tier. */
  readonly rate: number;
  readonly rateLogDeviation: number;
  /** What a batch costs beside its arithmetic. */
  readonly batchOverhead: number;
  /** Standard deviation of the logarithm of a task's time about the device's own. */
  readonly jitter: number;
  /** After so long at work the phone is warm, and trains at this part of its rate. */
  readonly throttledAfter: number;
  readonly throttledRate: number;
  /** Watts while it trains. */
  readonly trainingPower: number;
  readonly battery: number;
  readonly memory: number;
  /** Loading the program and the data, before anything is fetched. */
  readonly startUp: number;
}

const GFLOP = 1e9;
const WATT_HOUR = 3600;
const GB = 2 ** 30;

/**
 * Rates: FLASH's measured times of a batch of the LEAF FEMNIST CNN (17.2 M multiply-accumulates) with a Java runtime on
 * three phones of 2014 to 2019: 179, 588 and 1,642 ms for ten examples (Yang et al. 2021, arXiv 2006.06983,
 * `device_util.py`). Tiers and deviations give the logarithm of the rate a standard deviation of 0.92 over the fleet;
 * AI-Benchmark's scores of 333 phones have 0.93. Jitter: FLASH measured 1 to 6 %, and other programs contend.
 * Overhead, throttling, power (below the peaks of 3.6 to 5.5 W that AutoFL gives) and start-up are assumed; batteries
 * are typical, of 4,700, 5,000 and 4,000 mAh. 2 GB is Google's floor (Bonawitz et al. 2019).
 */
export const DEVICE_TIERS: readonly DeviceTier[] = [
  {
    name: "flagship",
    share: 0.15,
    rate: 5.8 * GFLOP,
    rateLogDeviation: 0.4,
    batchOverhead: 2,
    jitter: 0.1,
    throttledAfter: 120_000,
    throttledRate: 0.75,
    trainingPower: 3.5,
    battery: 18 * WATT_HOUR,
    memory: 8 * GB,
    startUp: 500,
  },
  {
    name: "mid",
    share: 0.35,
    rate: 1.8 * GFLOP,
    rateLogDeviation: 0.45,
    batchOverhead: 5,
    jitter: 0.15,
    throttledAfter: 90_000,
    throttledRate: 0.7,
    trainingPower: 2.5,
    battery: 19 * WATT_HOUR,
    memory: 4 * GB,
    startUp: 1_000,
  },
  {
    name: "low",
    share: 0.5,
    rate: 0.63 * GFLOP,
    rateLogDeviation: 0.5,
    batchOverhead: 12,
    jitter: 0.2,
    throttledAfter: 60_000,
    throttledRate: 0.65,
    trainingPower: 1.8,
    battery: 15 * WATT_HOUR,
    memory: 2 * GB,
    startUp: 2_000,
  },
];
