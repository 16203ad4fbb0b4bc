import { type Algorithm, createAlgorithm } from "../../shared/learning/algorithms/index.ts";
import type { RunConfig } from "./config.ts";

/** One of the program's own algorithms as a configuration names it. */
type NamedAlgorithm = Exclude<RunConfig["algorithm"], { readonly kind: "module" }>;

/** The algorithm that a configuration names, for a fleet of `devices`. */
export function configuredAlgorithm(algorithm: NamedAlgorithm, devices: number): Algorithm {
  switch (algorithm.kind) {
    case "scaffold":
      return createAlgorithm({ ...algorithm, devices });
    case "fedadagrad":
      return createAlgorithm({ ...algorithm, beta2: 0 });
    default:
      return createAlgorithm(algorithm);
  }
}
