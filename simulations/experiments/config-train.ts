import { z } from "zod";

const count = z.int().min(1);

const optimizer = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({ kind: z.literal("sgd").meta({ description: "plain stochastic gradient descent" }) }),
    z.strictObject({
      kind: z.literal("momentum").meta({ description: "SGD with momentum" }),
      momentum: z.number().min(0).lt(1).default(0.9).meta({ description: "how much of the last step is kept" }),
      nesterov: z.boolean().default(false).meta({ description: "look ahead along it" }),
    }),
    z.strictObject({
      kind: z.literal("adam").meta({ description: "Adam (Kingma and Ba 2015); weight decay is decoupled from it" }),
      beta1: z.number().min(0).lt(1).default(0.9).meta({ description: "how much of the mean gradient is kept" }),
      beta2: z.number().min(0).lt(1).default(0.999).meta({ description: "how much of the mean square is kept" }),
      epsilon: z.number().positive().default(1e-8).meta({ description: "keeps the step finite" }),
    }),
  ],
  { error: "kind must be sgd, momentum or adam" },
);

/** The configuration's `train` section: what a device does. */
export const trainSchema = z.strictObject({
  engine: z.enum(["onnx", "tfjs", "tfjs-node"]).default("onnx").meta({ description: "what trains on a device" }),
  fallback: z
    .enum(["onnx", "tfjs", "tfjs-node"])
    .exactOptional()
    .meta({ description: "what trains instead, where the engine cannot train the model; the run says that it does" }),
  epochs: count.default(1).meta({ description: "passes over a device's examples in a round" }),
  batch: count.default(10).meta({ description: "examples in a step of SGD" }),
  lr: z.number().positive().default(0.1).meta({ description: "learning rate on the device" }),
  optimizer: optimizer
    .prefault({ kind: "sgd" })
    .meta({ description: "{ kind: sgd }, momentum or adam; its state begins anew in every round" }),
  weightDecay: z.number().min(0).default(0).meta({ description: "pulls every parameter towards 0 at each step" }),
  gradientClip: z
    .number()
    .positive()
    .exactOptional()
    .meta({ description: "L2 norm to which a step's gradient is clipped; off when absent" }),
  clip: z
    .number()
    .positive()
    .exactOptional()
    .meta({ description: "L2 norm to which an update is clipped; off when absent" }),
});
