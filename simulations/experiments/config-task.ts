import { z } from "zod";
import { MODEL_FAMILIES, MODELS } from "../../shared/learning/models/index.ts";
import { MODULE_PATH } from "../own-module.ts";

const fraction = z.number().min(0).max(1);
const count = z.int().min(1);
const path = z.string().min(1);
export const modulePath = z
  .string()
  .regex(MODULE_PATH, { error: "the path of a module ends in .js or .mjs", abort: true })
  .meta({ description: "the path of a module, .js or .mjs" });
const columns = z.array(z.string().min(1));

const partition = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal("iid").meta({ description: "every device draws from the whole training set" }),
    }),
    z.strictObject({
      kind: z.literal("shards").meta({ description: "sorted by label and cut into shards (McMahan et al. 2017, 3)" }),
      perDevice: count.default(2).meta({ description: "shards a device gets; 2 means mostly two digits" }),
    }),
    z.strictObject({
      kind: z.literal("dirichlet").meta({ description: "label shares drawn from a Dirichlet (Hsu et al. 2019)" }),
      alpha: z.number().positive().default(0.5).meta({ description: "smaller is more unlike" }),
    }),
    z.strictObject({
      kind: z.literal("drawn").meta({ description: "each device draws for itself: more devices than data" }),
      perDevice: count.default(600).meta({ description: "examples on each device" }),
    }),
    z.strictObject({
      kind: z
        .literal("quantity")
        .meta({ description: "log-normal numbers of examples, labels alike (Li et al. 2020)" }),
      sigma: z.number().min(0).default(1).meta({ description: "deviation of the logarithm of a device's size" }),
    }),
    z.strictObject({
      kind: z.literal("natural").meta({ description: "by owner: a speaker, a column's value (Caldas et al. 2018)" }),
      perDevice: count
        .exactOptional()
        .meta({ description: "owners a device stands for, drawn; absent: all of them, dealt evenly" }),
    }),
  ],
  { error: "kind must be iid, shards, dirichlet, drawn, quantity or natural" },
);

const fileDataset = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("fashion-mnist").meta({ description: "the original .gz files (Xiao et al. 2017)" }),
      folder: path.meta({ description: "that holds the four files; docs/datasets.md says how to get them" }),
    }),
    z.strictObject({
      kind: z.literal("idx").meta({ description: "images of your own in MNIST's format" }),
      folder: path.meta({ description: "that holds four files called as MNIST's, as they are or .gz" }),
      classes: count.max(256).exactOptional().meta({ description: "absent: one more than the largest label" }),
    }),
    z
      .strictObject({
        kind: z.literal("csv").meta({ description: "a table of your own" }),
        file: path.meta({ description: "CSV, its first line the columns' names" }),
        testFile: path.exactOptional().meta({ description: "test examples; absent: a fraction of the file" }),
        test: fraction.default(0.2).meta({ description: "that fraction, drawn from the seed" }),
        label: z.string().min(1).exactOptional().meta({ description: "the column of classes; or else targets" }),
        targets: columns.min(1).exactOptional().meta({ description: "columns of numbers to predict" }),
        numeric: columns.default([]).meta({ description: "columns fed as numbers" }),
        categorical: columns.default([]).meta({ description: "columns fed one-hot" }),
        standardise: z
          .record(z.string(), z.strictObject({ mean: z.number(), deviation: z.number().positive() }))
          .default({})
          .meta({ description: "public statistics of numeric columns: fed as (value - mean) / deviation" }),
        key: z.string().min(1).exactOptional().meta({ description: "the column that says whose an example is" }),
        delimiter: z.string().length(1).default(",").meta({ description: "between the cells of a line" }),
      })
      .refine(({ label, targets }) => (label === undefined) !== (targets === undefined), {
        error: "name either a label or targets",
      }),
    z.strictObject({
      kind: z.literal("text").meta({ description: "next-character prediction, by speaker" }),
      file: path.meta({ description: "what people say, such as tiny-shakespeare" }),
      format: z
        .enum(["speaker-lines", "plays"])
        .default("speaker-lines")
        .meta({ description: '"Name:" on a line of its own before what they say, or the plays of Project Gutenberg' }),
      testWindows: count.default(2000).meta({ description: "windows of the test part that are evaluated on" }),
    }),
    z.strictObject({
      kind: z.literal("module").meta({ description: "a module of your own that loads it" }),
      path: modulePath.meta({ description: "exports dataset({ seed }); docs/your-own.md" }),
    }),
  ])
  .meta({ description: "a section with a kind: fashion-mnist, idx, csv, text or module" });

/** The configuration's section `task`: data, who holds it, and what learns from it. */
export const taskSchema = z.strictObject({
  dataset: z
    .union([z.enum(["mnist", "blobs"]), fileDataset])
    .default("mnist")
    .meta({
      description: "mnist; blobs: a tiny synthetic set; or { kind: fashion-mnist, idx, csv, text or module, … }",
    }),
  partition: partition.prefault({ kind: "iid" }).meta({
    description:
      "iid, { kind: shards, perDevice: 2 }, { kind: dirichlet, alpha: 0.5 }, { kind: drawn, perDevice: 600 }, { kind: quantity, sigma: 1 } or { kind: natural }",
  }),
  model: z
    .union([z.enum([...MODELS.keys(), ...MODEL_FAMILIES.keys()]), modulePath])
    .default("2nn")
    .meta({
      description: "a model by name, such as softmax, 2nn, cnn, logistic; or a module of your own, ./model.mjs",
    }),
});
