import type { Algorithm } from "./algorithm.ts";
import { type FedAvgOptions, fedAvg } from "./fedavg.ts";

export type { Aggregate, Algorithm, AlgorithmState } from "./algorithm.ts";

/** What the coordinator does with the mean update, as in the configuration's `algorithm`. */
export type AlgorithmSpec = { readonly kind: "fedavg" } & FedAvgOptions;

/** Adding an algorithm is one file, one member of the type above and one line here. */
export function createAlgorithm(spec: AlgorithmSpec): Algorithm {
  switch (spec.kind) {
    case "fedavg":
      return fedAvg(spec);
  }
}
