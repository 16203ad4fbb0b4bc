import { type AdaptiveOptions, adaptive } from "./adaptive.ts";
import type { Algorithm } from "./algorithm.ts";
import { type FedAvgOptions, fedAvg } from "./fedavg.ts";
import { type FedAvgMOptions, fedAvgM } from "./fedavgm.ts";
import { type FedProxOptions, fedProx } from "./fedprox.ts";
import { type ScaffoldOptions, scaffold } from "./scaffold.ts";

export type { Aggregate, Algorithm, AlgorithmState } from "./algorithm.ts";

/** What the coordinator does with the mean update. */
export type AlgorithmSpec =
  | ({ readonly kind: "fedavg" } & FedAvgOptions)
  | ({ readonly kind: "fedprox" } & FedProxOptions)
  | ({ readonly kind: "fedavgm" } & FedAvgMOptions)
  | AdaptiveOptions
  | ({ readonly kind: "scaffold" } & ScaffoldOptions);

/** Adding an algorithm is one file, one member of the type above and one line here. */
export function createAlgorithm(spec: AlgorithmSpec): Algorithm {
  switch (spec.kind) {
    case "fedavg":
      return fedAvg(spec);
    case "fedprox":
      return fedProx(spec);
    case "fedavgm":
      return fedAvgM(spec);
    case "fedadagrad":
    case "fedyogi":
    case "fedadam":
      return adaptive(spec);
    case "scaffold":
      return scaffold(spec);
  }
}
