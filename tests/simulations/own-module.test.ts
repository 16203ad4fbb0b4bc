import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allExamples, loadDataset } from "../../simulations/datasets/index.ts";
import { loadModel, loadReferredModel, modelReference } from "../../simulations/load-model.ts";
import { folderWith } from "./datasets/dataset-folder.ts";

const DIGITS = { inputShape: [28, 28, 1], labels: "classes", outputs: 10 } as const;

const MODEL = `export function model({ inputShape, outputs }) {
  return {
    name: "tiny",
    inputShape,
    outputs,
    loss: "softmaxCrossEntropy",
    createModel: (tf) =>
      tf.sequential({
        layers: [
          tf.layers.flatten({ name: "pixels", inputShape }),
          tf.layers.dense({ name: "logits", units: outputs }),
        ],
      }),
  };
}
`;

const DATASET = `export function dataset({ seed }) {
  return {
    inputShape: [2],
    labels: "classes",
    outputs: 2,
    train: { inputs: [0, seed, 1, 0, 1, 1], labels: [0, 0, 1], keys: ["Ann", "Ben", "Ann"] },
    test: { inputs: new Float32Array([0.5, 0.5]), labels: [1], keys: ["Cy"] },
  };
}
`;

const moduleFile = (text: string, name = "own.mjs") => join(folderWith({ [name]: text }), name);

describe("a model of one's own", () => {
  it("is a description, or a function of the dataset's shape", async () => {
    const definition = await loadModel(moduleFile(MODEL), DIGITS);
    expect(definition).toMatchObject({ name: "tiny", title: "tiny", inputShape: [28, 28, 1], outputs: 10 });
    const constant = MODEL.replace(
      "export function model({ inputShape, outputs }) {",
      "const inputShape = [28, 28, 1], outputs = 10;",
    )
      .replace("return {", "export const model = {")
      .replace(/\}\n$/, "");
    expect(await loadModel(moduleFile(constant), DIGITS)).toMatchObject({ inputShape: [28, 28, 1], outputs: 10 });
  });

  it("that is changed is loaded anew, and known by its content", async () => {
    const file = moduleFile(MODEL);
    const before = modelReference(file);
    await loadModel(file, DIGITS);
    writeFileSync(file, MODEL.replace("tiny", "other"));
    expect((await loadModel(file, DIGITS)).name).toBe("other");
    expect(modelReference(file)).not.toBe(before);
    expect(before).toMatch(/^module:[0-9a-f]{64}$/);
    expect(modelReference("2nn")).toBe("2nn");
  });

  it("is taken by a device only if it is the one that the coordinator means", async () => {
    const file = moduleFile(MODEL);
    expect((await loadReferredModel(modelReference(file), file, DIGITS)).name).toBe("tiny");
    expect((await loadReferredModel("2nn", undefined, DIGITS)).name).toBe("2nn");
    const refused = { name: "device-refused", hint: expect.stringContaining("--model") };
    await expect(loadReferredModel(modelReference(file), undefined, DIGITS)).rejects.toMatchObject(refused);
    await expect(loadReferredModel(modelReference(file), "cnn", DIGITS)).rejects.toMatchObject(refused);
    const other = moduleFile(MODEL.replace("tiny", "other"));
    await expect(loadReferredModel(modelReference(file), other, DIGITS)).rejects.toThrow(/its SHA-256 differs/);
  });

  it.each([
    ["of a syntax error", "export const model = {", /cannot be loaded: /],
    [
      "of an import that is not there",
      'import "./nothing.mjs"; export const model = 1;',
      /cannot be loaded: .*nothing/,
    ],
    ["of an error while it is loaded", 'throw new Error("no luck");', /cannot be loaded: no luck\.$/],
    ["of another export", "export const modle = {};", /exports no "model"; it exports modle\.$/],
    ["of no exports", "", /exports nothing|exports no "model"; it exports nothing\.$/],
    ["it is a number", "export const model = 3;", /neither a description nor a function/],
    ["its function throws", 'export function model() { throw new TypeError("oh"); }', /failed: oh\.$/],
    ["its function returns nothing", "export function model() {}", /neither a description/],
    ["of its input shape", MODEL.replace("    inputShape,", "    inputShape: [0],"), /has no inputShape/],
    ["of its outputs", MODEL.replace("    outputs,", ""), /has no outputs/],
    ["of its loss", MODEL.replace("softmaxCrossEntropy", "hinge"), /none of softmaxCrossEntropy, sigmoid/],
    ["of its factory", MODEL.replace("createModel:", "create:"), /has no function createModel/],
    [
      "its factory throws",
      MODEL.replace("tf.sequential", "tf.sequentail"),
      /failed: tf\.sequentail is not a function\.$/,
    ],
    ["its factory returns another shape", MODEL.replace("units: outputs", "units: 3"), /failed: .* ends in \[,3\]/],
    ["its factory is asynchronous", MODEL.replace("(tf) =>", "async (tf) =>"), /returned no tf\.layers model/],
    [
      "its factory returns a layer",
      MODEL.replace("tf.sequential({", "tf.layers.flatten({"),
      /returned no tf\.layers model/,
    ],
    ["a layer has no name", MODEL.replace('name: "logits", ', ""), /layer without a name of its own/],
  ])("is refused because %s", async (_, text, message) => {
    await expect(loadModel(moduleFile(text), DIGITS)).rejects.toMatchObject({
      name: "module-invalid",
      message: expect.stringMatching(message),
    });
  });

  it("is refused where it is not there, or does not fit the data", async () => {
    await expect(loadModel("/nowhere/own.mjs", DIGITS)).rejects.toMatchObject({
      name: "module-invalid",
      message: "The model module /nowhere/own.mjs is not there.",
    });
    const narrow = MODEL.replace("({ inputShape, outputs })", "() ").replace(
      "return {",
      "const inputShape = [3], outputs = 10; return {",
    );
    await expect(loadModel(moduleFile(narrow), DIGITS)).rejects.toMatchObject({ name: "model-data-mismatch" });
  });
});

describe("a dataset of one's own", () => {
  const load = (text: string, seed = 7) => loadDataset({ kind: "module", path: moduleFile(text) }, seed);

  it("is what its function returns", async () => {
    const dataset = await load(DATASET);
    expect(dataset).toMatchObject({ name: "own.mjs", inputShape: [2], labels: "classes", outputs: 2 });
    expect(dataset.keyNames).toEqual(["Ann", "Ben", "Cy"]);
    expect(dataset.train.keys).toEqual(Int32Array.of(0, 1, 0));
    const { inputs, labels } = allExamples(dataset.train);
    expect([...inputs]).toEqual([0, 7, 1, 0, 1, 1]);
    expect(labels).toEqual(Int32Array.of(0, 0, 1));
    expect((await load(DATASET)).sha256).toBe(dataset.sha256);
    expect((await load(DATASET, 8)).sha256).not.toBe(dataset.sha256);
  });

  it("may promise it, hold bytes to scale, and have targets", async () => {
    const dataset = await load(`export const dataset = async () => ({
      name: "levels", inputShape: [1], labels: "targets", outputs: 2,
      train: { inputs: Uint8Array.of(0, 255), scale: 1 / 255, labels: [1, 2, 3, 4] },
      test: { inputs: [0.25], labels: [5, 6] },
    });`);
    expect(dataset.name).toBe("levels");
    expect([...allExamples(dataset.train).inputs]).toEqual([0, 1]);
    expect(allExamples(dataset.train).labels).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it.each([
    ["it is no function", "export const dataset = {};", /is no function/],
    ["it throws", 'export function dataset() { throw new Error("offline"); }', /failed: offline\.$/],
    ["it returns nothing", "export function dataset() {}", /returned no description/],
    ["of its shape", DATASET.replace("[2]", "2"), /has no inputShape/],
    ["of its kind of labels", DATASET.replace('"classes"', '"class"'), /neither "classes" nor "targets"/],
    ["of its outputs", DATASET.replace("outputs: 2", "outputs: 0"), /has no outputs/],
    ["of missing inputs", DATASET.replace("[0, seed, 1,", "[0, 1,"), /5 inputs and 3 labels.* in train\.$/],
    ["of an input that is no number", DATASET.replace("seed, 1", "NaN, 1"), /inputs that are not all finite/],
    [
      "of numbers too large for numbers",
      DATASET.replace("[0, seed, 1,", "[0n, 1n, 1,"),
      /inputs that are not all finite/,
    ],
    ["of text for numbers", DATASET.replace("[0, seed, 1,", '["0", "1", 1,'), /inputs that are not all finite/],
    ["of a label that is no class", DATASET.replace("labels: [1]", "labels: [2]"), /a label 2.* in test\.$/],
    ["of too few keys", DATASET.replace('["Cy"]', "[]"), /keys that are no list of 1 names in test/],
    ["it has no test set", DATASET.replace(" test:", " tset:"), /has no \{ inputs, labels \} in test/],
  ])("is refused because %s", async (_, text, message) => {
    await expect(load(text)).rejects.toMatchObject({ name: "module-invalid", message: expect.stringMatching(message) });
  });
});
