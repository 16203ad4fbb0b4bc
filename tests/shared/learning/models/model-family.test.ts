import { describe, expect, it } from "vitest";
import { CHARACTERS, characterClass } from "../../../../shared/learning/characters.ts";
import { modelFor } from "../../../../shared/learning/models/index.ts";
import { parameterManifestFor } from "../../../../shared/learning/models/model-parameters.ts";
import type { MurmurError } from "../../../../shared/protocol/errors.ts";

const digits = { inputShape: [28, 28, 1], labels: "classes", outputs: 10 } as const;

describe("the model for a dataset", () => {
  it("is as wide as the table, where the model is a family", () => {
    const classes = modelFor("logistic", { inputShape: [13], labels: "classes", outputs: 3 });
    expect(parameterManifestFor(classes).size).toBe(14 * 3);
    const targets = modelFor("linear", { inputShape: [4, 2], labels: "targets", outputs: 1 });
    expect(parameterManifestFor(targets).size).toBe(9);
    expect([classes.loss, targets.loss]).toEqual(["softmaxCrossEntropy", "meanSquaredError"]);
  });

  it("is the one of the name, where its shape is fixed and the data's is as large", () => {
    expect(modelFor("2nn", digits).inputShape).toEqual([784]);
    expect(modelFor("cnn", { ...digits, inputShape: [784], outputs: 9 }).outputs).toBe(10);
  });

  it.each([
    ["no-such", digits, "model-unknown", /there are softmax, 2nn, cnn, .*logistic, linear/],
    ["2nn", { ...digits, inputShape: [32, 32, 3] }, "model-data-mismatch", /takes 784 .* has 32 × 32 × 3/],
    ["2nn", { ...digits, outputs: 11 }, "model-data-mismatch", /has 10 classes, the dataset 11/],
    ["2nn", { ...digits, labels: "targets" }, "model-data-mismatch", /learns classes/],
    ["linear", digits, "model-data-mismatch", /learns targets/],
  ] as const)("%s is refused for data that it does not take", (name, dataset, error, message) => {
    const attempt = () => modelFor(name, dataset);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ name: error }) as MurmurError);
  });
});

describe("the characters of text models", () => {
  it("are LEAF's 80, each once; others count as a space", () => {
    expect([new Set(CHARACTERS).size, CHARACTERS.length]).toEqual([80, 80]);
    for (const [index, character] of [...CHARACTERS].entries()) expect(characterClass(character)).toBe(index);
    expect(characterClass("é")).toBe(characterClass(" "));
  });
});
