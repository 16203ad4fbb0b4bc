import { type Algorithm, createAlgorithm } from "../../shared/learning/algorithms/index.ts";
import type { RunConfig } from "./config.ts";

/** The algorithm that a configuration names, for its fleet. */
export function configuredAlgorithm({ algorithm, fleet }: RunConfig): Algorithm {
  switch (algorithm.kind) {
    case "scaffold":
      return createAlgorithm({ ...algorithm, devices: fleet.devices });
    case "fedadagrad":
      return createAlgorithm({ ...algorithm, beta2: 0 });
    default:
      return createAlgorithm(algorithm);
  }
}
