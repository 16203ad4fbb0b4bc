import { z } from "zod";
import type { PrivacyEvent } from "../../shared/privacy/accounting/events.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";

const positive = z.number("expected a number").positive("must be more than 0");
const count = z.int("expected a whole number").min(1, "must be at least 1").max(1e9, "must be at most 1e9");
const rate = z.number("expected a number").gt(0, "must be more than 0").max(1, "must be at most 1");
const delta = z.number("expected a number").min(1e-12, "must be at least 1e-12").lt(1, "must be less than 1");
const noise = positive;
const steps = count.default(1);
const sampling = rate.default(1);

/** Keys are those of the reference values; others beside them are let through: a table carries its answers with it. */
const single = z.discriminatedUnion("kind", [
  z
    .object({ kind: z.literal("poisson-gaussian"), q: rate, noise_multiplier: noise, steps })
    .transform(({ kind, q, noise_multiplier, steps }) => ({
      kind,
      sampling: q,
      noiseMultiplier: noise_multiplier,
      steps,
    })),
  z
    .object({ kind: z.literal("gaussian"), noise_multiplier: noise, steps })
    .transform(({ kind, noise_multiplier, steps }) => ({ kind, noiseMultiplier: noise_multiplier, steps })),
  z
    .object({ kind: z.literal("replace-one-gaussian"), q: rate, noise_multiplier: noise, steps })
    .transform(({ kind, q, noise_multiplier, steps }) => ({
      kind,
      sampling: q,
      noiseMultiplier: noise_multiplier,
      steps,
    })),
  z
    .object({ kind: z.literal("fixed-size-gaussian"), n: count, m: count, noise_multiplier: noise, steps })
    .refine(({ n, m }) => m <= n, { path: ["m"], error: "must be at most n" })
    .transform(({ kind, n, m, noise_multiplier, steps }) => ({
      kind,
      population: n,
      cohort: m,
      noiseMultiplier: noise_multiplier,
      steps,
    })),
  z
    .object({
      kind: z.literal("capped-poisson-gaussian"),
      dataset_size: count,
      q: rate,
      cap: count,
      noise_multiplier: noise,
      steps,
    })
    .transform(({ kind, dataset_size, q, cap, noise_multiplier, steps }) => ({
      kind,
      population: dataset_size,
      sampling: q,
      cap,
      noiseMultiplier: noise_multiplier,
      steps,
    })),
  z
    .object({
      kind: z.literal("discrete-gaussian"),
      sigma: positive,
      sensitivity: count.default(1),
      q: sampling,
      steps,
    })
    .transform(({ kind, sigma, sensitivity, q, steps }) => ({
      kind,
      deviation: sigma,
      sensitivity,
      sampling: q,
      steps,
    })),
  z
    .object({
      kind: z.enum(["distributed-gaussian", "distributed-skellam"]),
      sensitivity: positive,
      shares: count,
      local_stddev: positive,
      dim: count,
      q: sampling,
      steps,
    })
    .transform(({ kind, sensitivity, shares, local_stddev, dim, q, steps }) => ({
      kind,
      sensitivity,
      shares,
      deviation: local_stddev,
      dimension: dim,
      sampling: q,
      steps,
    })),
  z
    .object({ kind: z.literal("laplace"), scale_over_l1_sensitivity: positive, steps })
    .transform(({ kind, scale_over_l1_sensitivity, steps }) => ({ kind, scale: scale_over_l1_sensitivity, steps })),
  z
    .object({ kind: z.literal("randomised-response"), noise_parameter: rate, num_buckets: count.min(2), steps })
    .transform(({ kind, noise_parameter, num_buckets, steps }) => ({
      kind,
      noise: noise_parameter,
      values: num_buckets,
      steps,
    })),
  z
    .object({ kind: z.literal("tree"), noise_multiplier: noise, steps_per_tree: count, trees: count.default(1) })
    .transform(({ kind, noise_multiplier, steps_per_tree, trees }) => ({
      kind,
      noiseMultiplier: noise_multiplier,
      roundsPerTree: steps_per_tree,
      trees,
    })),
  z
    .object({
      kind: z.literal("correlated"),
      rounds: count.max(100_000, "must be at most 100000"),
      bands: count.exactOptional(),
      participations: count,
      separation: count,
      noise_multiplier: noise,
    })
    .transform(({ noise_multiplier, ...rest }) => ({ ...rest, noiseMultiplier: noise_multiplier })),
  z.object({ kind: z.literal("zcdp"), rho: positive, steps }),
]);

const tuned = z
  .object({
    kind: z.literal("tuning"),
    shape: z.union([z.number("expected a number").gt(-1, "must be above -1"), z.literal("Infinity")]),
    mean_repetitions: positive,
    event: single,
  })
  .transform(({ kind, shape, mean_repetitions, event }) => ({
    kind,
    shape: shape === "Infinity" ? Number.POSITIVE_INFINITY : shape,
    mean: mean_repetitions,
    event,
  }));

const composed = z.object({ kind: z.literal("composed"), events: z.array(single).min(1, "must hold an event") });

export interface EventQuery {
  readonly event: PrivacyEvent;
  readonly delta: number;
}

export interface TargetQuery {
  readonly sampling: number;
  readonly steps: number;
  readonly delta: number;
  readonly epsilon: number;
}

const target = z.object({ q: sampling, steps, delta, target_epsilon: positive });

/** @throws {MurmurError} usage, with the index and the field of the first one that is wrong; nothing is computed then */
export function parseEventQueries(text: string): EventQuery[] {
  return items(text, "events").map((value, index) => {
    const document = isObject(value) ? { kind: "poisson-gaussian", ...value } : value;
    return { event: parseEvent(document, index), delta: parsed(z.object({ delta }), document, index).delta };
  });
}

/** By the schema of the kind that is named: it says more of what is wrong than all of them together. */
function parseEvent(document: unknown, index: number): PrivacyEvent {
  const kind = isObject(document) ? document.kind : undefined;
  if (kind === "tuning") return parsed(tuned, document, index);
  if (kind === "composed") return parsed(composed, document, index);
  return parsed(single, document, index);
}

/** @throws {MurmurError} likewise */
export function parseTargetQueries(text: string): TargetQuery[] {
  return items(text, "targets").map((value, index) => {
    const { q, steps: count, delta: given, target_epsilon } = parsed(target, value, index);
    return { sampling: q, steps: count, delta: given, epsilon: target_epsilon };
  });
}

function items(text: string, what: string): unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new MurmurError("usage", `Standard input is not JSON: ${(error as Error).message}.`, {
      hint: `Give a JSON array of ${what}; \`murmur privacy --help\` has an example.`,
    });
  }
  if (Array.isArray(document)) return document;
  throw new MurmurError("usage", `Standard input must be a JSON array of ${what}.`, {
    hint: "Put [ and ] around it.",
  });
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, index: number): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue.path.join(".");
  const given = issue.path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[String(key)] : undefined), value);
  const shown = given === undefined ? "nothing" : JSON.stringify(given);
  const message = field === "" ? `expected an object, got ${shown}` : `${field}: ${issue.message}, got ${shown}`;
  throw new MurmurError("usage", `Element ${index}: ${message}.`, {
    hint: "Correct it and ask again: nothing was computed. docs/privacy.md lists the kinds and their fields.",
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
