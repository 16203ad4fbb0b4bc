import { z } from "zod";

const fraction = z.number().min(0).lt(1);

const flatClip = z.number().positive().meta({ description: "the L2 norm that every update is clipped to" });
const adaptiveClip = z
  .strictObject({
    initial: z.number().positive().default(0.1).meta({ description: "the norm in the first round" }),
    quantile: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.5)
      .meta({ description: "share of updates that should be within the norm; it moves there by itself" }),
    rate: z.number().positive().max(1).default(0.2).meta({ description: "how fast the norm follows" }),
  })
  .meta({ description: "a norm that follows a quantile of the updates' norms (Andrew et al. 2021)" });

/** The configuration's `privacy` section: what the model may reveal of any one device. */
export const privacySchema = z.strictObject({
  mechanism: z
    .enum(["central", "distributed-gaussian", "distributed-skellam", "local", "toeplitz", "banded"])
    .default("central")
    .meta({
      description:
        "who adds noise: the coordinator, on the sum (central; toeplitz, banded: noise that cancels over rounds, no sampling); or devices, a share each under the masks (distributed); or each enough for itself (local)",
    }),
  epsilon: z
    .number()
    .positive()
    .max(1_000)
    .exactOptional()
    .meta({ description: "the most that the run may spend; a round that would exceed it is refused" }),
  noiseMultiplier: z.number().min(0).exactOptional().meta({
    description:
      "z: the noise on the sum, in clip norms; 0: none, a line to compare with, and no guarantee; absent: as much as epsilon needs",
  }),
  rounds: z
    .int()
    .min(1)
    .exactOptional()
    .meta({ description: "rounds that epsilon is to last for; absent: round.count, and never fewer" }),
  delta: z.number().min(1e-12).lt(1).default(1e-5).meta({ description: "chance that epsilon does not hold" }),
  clip: z
    .union([flatClip, adaptiveClip], { error: "a norm, or { initial, quantile, rate }" })
    .default(0.5)
    .meta({ description: "bounds what one device can do" }),
  sampling: z
    .number()
    .gt(0)
    .max(1)
    .exactOptional()
    .meta({ description: "q: chance of each device to be in a round; absent: round.cohort of fleet.devices" }),
  noise: z.enum(["device", "aggregate"]).default("device").meta({
    description: "of devices that make noise: each draws its own; or one draw for all, a simulation's shortcut",
  }),
  randomness: z.enum(["seeded", "system"]).default("seeded").meta({
    description: "seeded: coins and noise come from the seed, a simulation; system: from the operating system",
  }),
  bits: z.int().min(8).max(24).default(16).meta({ description: "width of a coordinate of distributed noise" }),
  dropout: fraction
    .default(0.1)
    .meta({ description: "fraction of a roster that may be lost; more, and a round is refused" }),
  corrupted: fraction.default(0.05).meta({ description: "fraction of a roster whose noise is not counted on" }),
  maxParticipations: z
    .int()
    .min(1)
    .exactOptional()
    .meta({ description: "rounds that one device takes part in at most; it sees to that itself" }),
});

/** A resolved `privacy` section. */
export type PrivacyConfig = z.output<typeof privacySchema>;
