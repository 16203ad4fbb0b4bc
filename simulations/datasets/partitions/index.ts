import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";
import type { ExampleSet } from "../example-set.ts";
import { type DirichletOptions, partitionDirichlet } from "./dirichlet.ts";
import { partitionIid } from "./iid.ts";
import { type NaturalOptions, partitionByKey } from "./natural.ts";
import type { Partition } from "./partition.ts";
import { partitionByQuantity, type QuantityOptions } from "./quantity.ts";
import { partitionShards, type ShardsOptions } from "./shards.ts";

export type { Partition } from "./partition.ts";

/** How a training set is dealt to devices, as in the configuration's `task.partition`. */
export type PartitionSpec =
  | { readonly kind: "iid" }
  | ({ readonly kind: "shards" } & ShardsOptions)
  | ({ readonly kind: "dirichlet" } & DirichletOptions)
  | ({ readonly kind: "quantity" } & QuantityOptions)
  | ({ readonly kind: "natural" } & NaturalOptions);

/** What of a training set decides where its examples go. */
export type DealtExamples = Pick<ExampleSet, "labels" | "keys" | "count">;

/**
 * Deals a training set to `devices` devices. Adding a partition is one file, one member of the type above and one line
 * here.
 * @throws {MurmurError} `partition-impossible` when there are too few examples, or they lack what it goes by.
 */
export function partitionExamples(
  examples: DealtExamples,
  devices: number,
  random: SeededRandom,
  spec: PartitionSpec,
): Partition {
  const { keys, count } = examples;
  switch (spec.kind) {
    case "iid":
      return partitionIid(count, devices, random);
    case "shards":
      return partitionShards(requireClasses(examples, spec.kind), devices, random, spec);
    case "dirichlet":
      return partitionDirichlet(requireClasses(examples, spec.kind), devices, random, spec);
    case "quantity":
      return partitionByQuantity(count, devices, random, spec);
    case "natural":
      return partitionByKey(keys, devices, random, spec);
  }
}

/** @throws {MurmurError} `partition-impossible` for targets, which are no classes to deal by. */
function requireClasses({ labels }: DealtExamples, kind: string): Uint8Array | Int32Array {
  if (!(labels instanceof Float32Array)) return labels;
  throw new MurmurError("partition-impossible", `The partition ${kind} goes by classes, and the dataset has targets.`, {
    hint: "Deal it with `task.partition` iid, quantity or natural.",
  });
}
