import type { DistributedNoise } from "../mechanisms/distributed-rdp.ts";

/**
 * What was released under differential privacy, for an accountant. `steps` is how often, one after another; noise
 * multipliers are over the clip norm of one device.
 */
export type PrivacyEvent =
  /** A Gaussian on the sum of a Poisson sample. */
  | {
      readonly kind: "poisson-gaussian";
      readonly sampling: number;
      readonly noiseMultiplier: number;
      readonly steps: number;
    }
  | { readonly kind: "gaussian"; readonly noiseMultiplier: number; readonly steps: number }
  /** As `poisson-gaussian`, with one device replaced by another. */
  | {
      readonly kind: "replace-one-gaussian";
      readonly sampling: number;
      readonly noiseMultiplier: number;
      readonly steps: number;
    }
  /** On so many of a population, drawn without replacement; the noise is over the sensitivity of replacing one. */
  | {
      readonly kind: "fixed-size-gaussian";
      readonly population: number;
      readonly cohort: number;
      readonly noiseMultiplier: number;
      readonly steps: number;
    }
  /** On a Poisson sample that is cut to `cap` devices. */
  | {
      readonly kind: "capped-poisson-gaussian";
      readonly population: number;
      readonly sampling: number;
      readonly cap: number;
      readonly noiseMultiplier: number;
      readonly steps: number;
    }
  /** A discrete Gaussian on one whole number. */
  | {
      readonly kind: "discrete-gaussian";
      readonly deviation: number;
      readonly sensitivity: number;
      readonly sampling: number;
      readonly steps: number;
    }
  /** Shares of many devices, in units of the grid. */
  | ({
      readonly kind: "distributed-gaussian" | "distributed-skellam";
      readonly sampling: number;
      readonly steps: number;
    } & DistributedNoise)
  /** Laplace noise over the L1 sensitivity. */
  | { readonly kind: "laplace"; readonly scale: number; readonly steps: number }
  | { readonly kind: "randomised-response"; readonly noise: number; readonly values: number; readonly steps: number }
  | {
      readonly kind: "tree";
      readonly noiseMultiplier: number;
      readonly roundsPerTree: number;
      readonly trees: number;
    }
  /** Matrix factorisation, of whose rounds a device takes part in `participations`, `separation` apart at least. */
  | {
      readonly kind: "correlated";
      readonly rounds: number;
      /** Absent: square-root Toeplitz, with as many as there are rounds. */
      readonly bands?: number;
      readonly participations: number;
      readonly separation: number;
      readonly noiseMultiplier: number;
    }
  | { readonly kind: "zcdp"; readonly rho: number; readonly steps: number }
  /** The best of a random number of runs of an event (`tuning-rdp.ts`). */
  | { readonly kind: "tuning"; readonly shape: number; readonly mean: number; readonly event: PrivacyEvent }
  /** All of them, in any order. */
  | { readonly kind: "composed"; readonly events: readonly PrivacyEvent[] };
