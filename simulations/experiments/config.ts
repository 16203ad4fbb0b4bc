import { z } from "zod";
import { algorithmSchema } from "./config-algorithm.ts";
import { privacySchema } from "./config-privacy.ts";
import { taskSchema } from "./config-task.ts";
import { trainSchema } from "./config-train.ts";
import { duration } from "./config-values.ts";
import { privacyPlan } from "./privacy/privacy-plan.ts";
import { parseThreshold, THRESHOLD_METRICS } from "./thresholds.ts";

/** What devices are told in milliseconds of 32 bits, and should not wait for longer. */
const deadline = duration.refine((milliseconds) => milliseconds <= 86_400_000, { error: "at most a day" });

const fraction = z.number().min(0).max(1);
const count = z.int().min(1);

const phones = z.strictObject({
  availability: z
    .enum(["phones", "always"])
    .default("phones")
    .meta({ description: "phones: only while idle, charging and on WiFi, over a virtual week; always: at every time" }),
  era: z
    .number()
    .positive()
    .default(1)
    .meta({ description: "factor on computing rates: 1 as measured in 2019, 3 for phones of 2024 and native code" }),
  network: z.enum(["wifi", "lte"]).default("wifi").meta({ description: "what training traffic goes over" }),
  startsAt: duration.prefault("20h").meta({ description: "virtual time of the first round, from a Monday's midnight" }),
  selection: duration.prefault("60s").meta({ description: "how long a round waits for devices to become eligible" }),
  reporting: deadline.prefault("3min").meta({
    description: "how long devices have to train, in the place of round.deadline",
  }),
  pace: duration.prefault("1h").meta({ description: "how long a device stays away after its part in a round, +-20 %" }),
  computeError: fraction.default(0.01).meta({ description: "chance of a program's error in a device's training" }),
  minimumCharge: fraction.default(0.15).meta({ description: "a device with less in its battery declines" }),
});

const fleet = z.strictObject({
  devices: count.default(100).meta({ description: "devices in the population" }),
  dropout: fraction.default(0.05).meta({
    description:
      "chance that a selected device vanishes at some phase of a round, drawn from the seed; phones are lost in their own ways instead",
  }),
  phones: phones.exactOptional().meta({
    description: "{}: devices are phones, on a virtual clock; absent: they are always there and take no time",
  }),
});

const buffered = z.strictObject({
  concurrency: count.default(100).meta({ description: "devices at work at once" }),
  maxStaleness: z.int().min(0).max(100).default(10).meta({
    description: "updates of models that so many newer ones have replaced are still taken",
  }),
  timeout: deadline.prefault("15min").meta({ description: "a device that has not trained after so long is given up" }),
});

const round = z.strictObject({
  count: count.default(25).meta({ description: "rounds to commit" }),
  cohort: count.default(20).meta({ description: "goal: devices whose updates a round wants" }),
  overSelection: z
    .number()
    .min(1)
    .max(10)
    .default(1.3)
    .meta({ description: "invited = cohort times this, rounded up" }),
  minCohort: count.default(16).meta({ description: "below this many survivors a round is abandoned, unopened" }),
  deadline: deadline.prefault("30s").meta({ description: "for training" }),
  exchangeDeadline: deadline.prefault("10s").meta({ description: "for each exchange of secure aggregation" }),
  closeAt: z
    .enum(["all", "goal"])
    .default("all")
    .meta({ description: "all: wait for every device not lost; goal: go on when the cohort is complete" }),
  buffered: buffered.exactOptional().meta({
    description: "{}: asynchronous (FedBuff): devices train when they come, and round.cohort that wait make a round",
  }),
  evaluateEvery: count.default(1).meta({ description: "rounds between evaluations on the public test set" }),
  maxAbandoned: z.int().min(0).default(5).meta({ description: "abandoned rounds in a row after which the run fails" }),
});

const quantise = z.strictObject({
  bits: z.int().min(2).max(24).default(16).meta({ description: "q: levels are -(2^(q-1)-1) to 2^(q-1)-1" }),
  range: z
    .number()
    .positive()
    .default(1)
    .meta({ description: "largest absolute coordinate, with scaffold of the gradients too; larger ones are clamped" }),
});

const secagg = z.strictObject({
  mode: z.enum(["masked", "plaintext"]).default("masked").meta({ description: "plaintext needs insecure: true" }),
  insecure: z
    .boolean()
    .default(false)
    .meta({ description: "must be true for plaintext: the coordinator then sees every update" }),
  level: z
    .enum(["curious-server", "active-server"])
    .default("curious-server")
    .meta({ description: "whom it protects against; active-server needs an authority" }),
  authority: z
    .string()
    .min(1)
    .exactOptional()
    .meta({ description: "folder of the enrolment authority (murmur authority init)" }),
  corrupted: fraction.default(0.05).meta({ description: "fraction of a cohort that may collude with the coordinator" }),
  dropout: fraction.default(0.1).meta({ description: "fraction of a cohort that may be lost while it is masked" }),
  minHonest: count.default(5).meta({ description: "least number of honest updates in a sum" }),
  bits: z
    .int()
    .min(8)
    .max(32)
    .exactOptional()
    .meta({ description: "ring width b; absent: the smallest that cannot wrap" }),
  fidelity: z.enum(["real", "accounted", "off"]).default("real").meta({
    description:
      "of a simulation: masks are made; or only their bytes are charged; or nothing is. Only sums either way",
  }),
  provider: z.enum(["node", "portable"]).default("node").meta({ description: "who computes the primitives" }),
});

const serve = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .meta({ description: "address to listen on; 127.0.0.1: this machine only; 0.0.0.0: every network it is in" }),
  port: z.int().min(0).max(65535).default(8080).meta({ description: "0: any that is free" }),
  names: z
    .array(z.string().min(1))
    .default([])
    .meta({ description: "names under which devices reach it, as in their URL: fl.example.org, coordinator:8080" }),
  proxies: z
    .array(z.string().min(1))
    .default([])
    .meta({ description: "addresses of the proxies before it, whose X-Forwarded-For is believed; nobody else's is" }),
  selection: duration
    .prefault("30s")
    .meta({ description: "how long a round waits for expected devices once enough are there" }),
  every: duration
    .exactOptional()
    .meta({ description: "least time from one round's beginning to the next; devices come back for it" }),
  heartbeat: duration
    .refine((milliseconds) => milliseconds >= 100 && milliseconds <= 3_600_000, { error: "from 100ms to 1h" })
    .prefault("30s")
    .meta({ description: "how often a connection shows that it is alive" }),
  stall: duration
    .prefault("10s")
    .meta({ description: "a device that reads nothing of what it is sent for so long is closed" }),
  connections: count.default(12_000).meta({ description: "devices connected at once, at most" }),
  rateLimit: z
    .strictObject({
      requests: count.default(600).meta({ description: "HTTP requests a minute from one address" }),
      connections: count.default(6_000).meta({ description: "new connections a minute from one address" }),
    })
    .prefault({})
    .meta({ description: "what one address may ask for" }),
  joinToken: z
    .strictObject({
      expires: duration.prefault("24h").meta({ description: "how long the token that serve prints enrols devices" }),
      count: count.default(10_000).meta({ description: "how many devices it enrols" }),
    })
    .prefault({})
    .meta({ description: "the token that `murmur serve` makes; `murmur token create` makes others" }),
});

const threshold = z
  .string()
  .refine((text) => parseThreshold(text) !== undefined, {
    error: `write a threshold such as "accuracy >= 0.90"; figures: ${Object.keys(THRESHOLD_METRICS).join(", ")}`,
  })
  .meta({ description: "a claim about the finished run", examples: ["accuracy >= 0.90", "abandoned == 0"] });

/** The configuration of a run: types, defaults, JSON Schema and error messages all come from here. */
export const runConfigSchema = z
  .strictObject({
    version: z.literal(1).default(1).meta({ description: "of this format" }),
    population: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, { error: "lower-case letters, digits, dot, dash, underscore; at most 64" })
      .default("murmuration-simulation")
      .meta({ description: "the name under which devices are enrolled" }),
    seed: z.int().min(0).default(42).meta({ description: "of the experiment; never of a secret" }),
    task: taskSchema.prefault({}).meta({ description: "what is learnt" }),
    fleet: fleet.prefault({}).meta({ description: "who learns" }),
    train: trainSchema.prefault({}).meta({ description: "what a device does" }),
    algorithm: algorithmSchema.prefault({}).meta({ description: "what the coordinator does with the sum" }),
    round: round.prefault({}).meta({ description: "how a round goes" }),
    quantise: quantise.prefault({}).meta({ description: "from real numbers to the ring" }),
    secagg: secagg.prefault({}).meta({ description: "secure aggregation" }),
    privacy: privacySchema.exactOptional().meta({
      description: "differential privacy for each device; absent: none",
    }),
    serve: serve.prefault({}).meta({ description: "how `murmur serve` is reached; `murmur run` passes it over" }),
    thresholds: z
      .array(threshold)
      .default([])
      .meta({ description: "claims that end the run with exit code 99 if missed" }),
  })
  .meta({ title: "Murmuration run", description: "Configuration of a federated run (version 1)." });

/** A resolved configuration: every default filled in, durations in milliseconds. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** A configuration as it is written: everything optional, durations as text. */
export type RunConfigDocument = z.input<typeof runConfigSchema>;

/** The document that resolves to `config`: every value written out, durations as text. */
export function configDocument(config: RunConfig): RunConfigDocument {
  return z.encode(runConfigSchema, config);
}

/**
 * How many devices a round invites: ⌈cohort · overSelection⌉, rounding errors aside (20 · 1.3 is 26). Devices that have
 * trained already are not invited in vain. Under differential privacy a round has its constant roster, whoever was drawn.
 */
export function invitedPerRound(config: RunConfig): number {
  const plan = privacyPlan(config);
  if (plan !== undefined) return plan.roster;
  if (config.round.buffered !== undefined) return config.round.cohort;
  return Math.ceil(config.round.cohort * config.round.overSelection - 1e-9);
}

/** JSON Schema (draft 2020-12) of the documents that {@link runConfigSchema} takes. */
export function runConfigJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(runConfigSchema, { io: "input" }) as Record<string, unknown>;
}
