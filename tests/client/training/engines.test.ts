import { createRequire } from "node:module";
import { afterAll, describe, expect, it, vi } from "vitest";
import { chooseEngine, ENGINES } from "../../../client/training/engines.ts";
import { MODELS } from "../../../shared/learning/models/index.ts";
import { sequentialModel } from "./layer-fixtures.ts";

const prints = (["log", "info", "warn", "error"] as const).map((method) => vi.spyOn(console, method));
afterAll(() => {
  for (const print of prints) print.mockRestore();
});

function tfjsNodeIsInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve("@tensorflow/tfjs-node");
    return true;
  } catch {
    return false;
  }
}

describe("the list of engines", () => {
  it("names each engine as its trainer does", async () => {
    for (const name of ["onnx", "tfjs"] as const) {
      const trainer = await ENGINES[name](MODELS.get("softmax")!);
      expect(trainer.engine).toBe(name);
      await trainer.dispose();
    }
  });

  it.skipIf(tfjsNodeIsInstalled())("says how to get tfjs-node where it is not installed", async () => {
    const attempt = ENGINES["tfjs-node"](MODELS.get("softmax")!);
    await expect(attempt).rejects.toMatchObject({
      name: "engine-unavailable",
      message: "@tensorflow/tfjs-node is not installed.",
      hint: expect.stringContaining("npm install @tensorflow/tfjs-node"),
    });
  });

  it("says before training which layer tfjs has no gradient for", async () => {
    const definition = sequentialModel([4], (l) => [
      l.dense({ units: 3, inputShape: [4] }),
      l.thresholdedReLU({ theta: 1 }),
      l.dense({ units: 3 }),
    ]);
    await expect(ENGINES.tfjs(definition)).rejects.toMatchObject({
      name: "model-untrainable",
      message: expect.stringContaining("gradient function not found for Greater"),
    });
  });

  it("chooses the fallback for a model that the engine cannot train, and says why", async () => {
    const softmax = MODELS.get("softmax")!;
    const enlarged = sequentialModel([2, 2, 1], (l) => [
      l.upSampling2d({ name: "enlarged", size: [2, 2], inputShape: [2, 2, 1] }),
      l.dense({ units: 3 }),
    ]);
    expect(await chooseEngine(softmax, "onnx", "tfjs")).toEqual({ engine: "onnx" });
    expect(await chooseEngine(enlarged, "onnx", "tfjs")).toMatchObject({
      engine: "tfjs",
      instead: { name: "model-untraceable", message: expect.stringContaining("ResizeNearestNeighbor") },
    });
    expect(await chooseEngine(enlarged, "onnx", undefined)).toEqual({ engine: "onnx" });
    const random = sequentialModel([4], (l) => [l.alphaDropout({ rate: 0.5, inputShape: [4] }), l.dense({ units: 3 })]);
    await expect(chooseEngine(random, "onnx", "tfjs")).rejects.toMatchObject({ name: "model-untraceable" });
  });

  it("prints nothing: tfjs's CPU backend would advertise tfjs-node at its first write", () => {
    for (const print of prints) expect(print).not.toHaveBeenCalled();
  });
});
