import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import { type DirichletOptions, partitionDirichlet } from "./dirichlet.ts";
import { partitionIid } from "./iid.ts";
import type { Partition } from "./partition.ts";
import { partitionShards, type ShardsOptions } from "./shards.ts";

export type { Partition } from "./partition.ts";

/** How a training set is dealt to devices, as in the configuration's `task.partition`. */
export type PartitionSpec =
  | { readonly kind: "iid" }
  | ({ readonly kind: "shards" } & ShardsOptions)
  | ({ readonly kind: "dirichlet" } & DirichletOptions);

/**
 * Deals the examples with these labels to `devices` devices. Adding a partition is one file, one member of the type
 * above and one line here.
 * @throws {MurmurError} `partition-impossible` when there are too few examples.
 */
export function partitionExamples(
  labels: ArrayLike<number>,
  devices: number,
  random: SeededRandom,
  spec: PartitionSpec,
): Partition {
  switch (spec.kind) {
    case "iid":
      return partitionIid(labels, devices, random);
    case "shards":
      return partitionShards(labels, devices, random, spec);
    case "dirichlet":
      return partitionDirichlet(labels, devices, random, spec);
  }
}
