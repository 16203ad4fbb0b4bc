import { z } from "zod";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { RunConfigDocument } from "../config.ts";
import { configError, problemsOf } from "../config-problems.ts";
import type { SchemaNode } from "../config-schema.ts";

/** Who adds noise; `none`: nobody, and updates are clipped and sampled all the same. */
export const BENCH_MECHANISMS = [
  "central",
  "distributed-gaussian",
  "distributed-skellam",
  "local",
  "toeplitz",
  "banded",
] as const;
export type BenchMechanism = (typeof BENCH_MECHANISMS)[number];

/** `none` is a line without noise, for comparison. */
const epsilon = z.union([z.literal("none"), z.number().positive()], { error: "a number above 0, or none" });
const count = z.int().min(1);
const fraction = z.number().min(0).lt(1);

const grid = z.strictObject({
  mechanism: z.array(z.enum(BENCH_MECHANISMS)).min(1).default(["central"]),
  epsilon: z.array(epsilon).min(1).default(["none", 8, 4, 2, 1]),
  population: z.array(count).min(1).exactOptional().meta({ description: "devices that there are" }),
  sampling: z
    .array(z.number().gt(0).max(1))
    .min(1)
    .exactOptional()
    .meta({ description: "q: share of them in a round" }),
  dropout: z.array(fraction).min(1).exactOptional().meta({ description: "share of devices lost in each round" }),
  heterogeneity: z
    .array(z.union([z.literal("iid"), z.number().positive()]))
    .min(1)
    .exactOptional()
    .meta({ description: "iid, or the α of a Dirichlet distribution over labels" }),
  bits: z.array(z.int().min(8).max(24)).min(1).exactOptional().meta({ description: "of a coordinate under masks" }),
});

/** A part of a run's configuration; it is checked with the rest of it, cell by cell. */
const runDocument = z.record(z.string(), z.unknown()).transform((value) => value as RunConfigDocument);

const override = z.strictObject({
  when: z.strictObject({
    mechanism: z.enum(BENCH_MECHANISMS).exactOptional(),
    epsilon: epsilon.exactOptional(),
    population: count.exactOptional(),
  }),
  set: runDocument,
});

const certified = z.strictObject({
  mechanism: z.enum(["distributed-gaussian", "distributed-skellam"]).default("distributed-gaussian"),
  epsilon: z.number().positive(),
  rounds: count,
});

/** A benchmark of privacy against accuracy: every cell of a grid, times seeds. */
export const benchConfigSchema = z.strictObject({
  version: z.literal(1).default(1),
  title: z.string().min(1),
  chart: z
    .enum(["frontier", "crowd"])
    .default("frontier")
    .meta({ description: "what accuracy is drawn against: ε, or the number of devices" }),
  base: runDocument.meta({ description: "the configuration that all cells share, as of `murmur run`" }),
  grid: grid.prefault({}),
  overrides: z.array(override).default([]).meta({ description: "what some cells have otherwise" }),
  tuning: z
    .string()
    .min(1)
    .default("learning rates and clip norm were set beforehand, on public data")
    .meta({ description: "on what data the rates were chosen: on private data it would cost privacy" }),
  seeds: z.array(z.int().min(0)).min(1).default([1, 2, 3]),
  baselines: z
    .array(z.enum(["central", "local-only", "chance"]))
    .default(["central", "local-only", "chance"])
    .meta({ description: "drawn on the same axes" }),
  certified: certified
    .exactOptional()
    .meta({ description: "beside the grid: a few rounds with noise drawn on every device, under real masks" }),
  quick: z
    .strictObject({
      seeds: z.array(z.int().min(0)).min(1).exactOptional(),
      rounds: count.exactOptional(),
      epsilon: z.array(epsilon).min(1).exactOptional(),
      population: z.array(count).min(1).exactOptional(),
      certifiedRounds: count.exactOptional(),
    })
    .prefault({})
    .meta({ description: "what --quick has otherwise" }),
});

export type BenchConfig = z.output<typeof benchConfigSchema>;

/**
 * @param locate says where a path was written ("bench.yaml:7"), if anyone knows
 * @throws {MurmurError} config-invalid, with every problem
 */
export function parseBenchConfig(document: unknown, locate?: (path: string) => string | undefined): BenchConfig {
  const parsed = benchConfigSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const { name, message } = configError(problemsOf(parsed.error, document, benchConfigJsonSchema()), locate);
  throw new MurmurError(name, message, {
    hint: "`examples/privacy-frontier.yaml` has every section of a benchmark; --dry-run lists the cells of yours.",
  });
}

function benchConfigJsonSchema(): SchemaNode {
  return z.toJSONSchema(benchConfigSchema, { io: "input" }) as SchemaNode;
}

/** The benchmark with what --quick changes. */
export function quickBench(config: BenchConfig): BenchConfig {
  const { seeds, rounds, epsilon: targets, population, certifiedRounds } = config.quick;
  const round = { ...config.base.round, ...(rounds === undefined ? {} : { count: rounds }) };
  return {
    ...config,
    base: { ...config.base, round },
    grid: {
      ...config.grid,
      ...(targets === undefined ? {} : { epsilon: targets }),
      ...(population === undefined ? {} : { population }),
    },
    ...(seeds === undefined ? {} : { seeds }),
    ...(config.certified === undefined || certifiedRounds === undefined
      ? {}
      : { certified: { ...config.certified, rounds: certifiedRounds } }),
  };
}
