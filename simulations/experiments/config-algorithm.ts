import { z } from "zod";
import { modulePath } from "./config-task.ts";

const serverLr = z.number().positive().meta({ description: "learning rate of the coordinator's step" });
const weight = z
  .enum(["examples", "uniform"])
  .default("examples")
  .meta({ description: "what a device counts for: its examples, or as much as any other" });
const decay = z.number().min(0).lt(1);
/** Of the server optimisers: β and τ as Reddi et al. 2021 have them. Their learning rate is to be tuned for each task. */
const adaptive = {
  serverLr: serverLr.default(0.01),
  beta2: decay.default(0.99).meta({ description: "how much of the mean squared update is kept" }),
  tau: z.number().positive().default(0.001).meta({ description: "the larger, the less adaptive" }),
  weight,
};
const beta1 = decay.meta({ description: "how much of the mean update is kept" });

/** The configuration's `algorithm` section: what the coordinator does with the sum. */
export const algorithmSchema = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal("fedavg").default("fedavg").meta({ description: "federated averaging (McMahan et al. 2017)" }),
      serverLr: serverLr.default(1),
      weight,
    }),
    z.strictObject({
      kind: z.literal("fedprox").meta({ description: "FedAvg whose devices stay near the model (Li et al. 2020)" }),
      mu: z.number().min(0).default(0.01).meta({ description: "strength of the proximal term; 0 is FedAvg" }),
      serverLr: serverLr.default(1),
      weight,
    }),
    z.strictObject({
      kind: z
        .literal("scaffold")
        .meta({ description: "control variates against client drift (Karimireddy et al. 2020); devices count alike" }),
      serverLr: serverLr.default(1),
    }),
    z.strictObject({
      kind: z.literal("fedavgm").meta({ description: "FedAvg with server momentum (Hsu et al. 2019)" }),
      serverLr: serverLr.default(1),
      momentum: decay.default(0.9).meta({ description: "how much of the last step is kept" }),
      weight,
    }),
    z.strictObject({
      kind: z.literal("fedadam").meta({ description: "Adam on the coordinator (Reddi et al. 2021)" }),
      ...adaptive,
      beta1: beta1.default(0.9),
    }),
    z.strictObject({
      kind: z.literal("fedyogi").meta({ description: "Yogi on the coordinator (Reddi et al. 2021)" }),
      ...adaptive,
      beta1: beta1.default(0.9),
    }),
    z.strictObject({
      kind: z.literal("fedadagrad").meta({ description: "Adagrad on the coordinator (Reddi et al. 2021)" }),
      serverLr: adaptive.serverLr,
      beta1: beta1.default(0),
      tau: adaptive.tau,
      weight,
    }),
    z.strictObject({
      kind: z.literal("module").meta({ description: "an algorithm of your own" }),
      path: modulePath.meta({ description: "exports algorithm; docs/your-own.md" }),
      options: z
        .record(z.string(), z.union([z.number(), z.string(), z.boolean()]))
        .default({})
        .meta({ description: "what it is called with" }),
      weight,
    }),
  ],
  { error: "kind must be fedavg, fedprox, scaffold, fedavgm, fedadam, fedyogi, fedadagrad or module" },
);
