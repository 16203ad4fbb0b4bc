import { createRequire } from "node:module";
import { afterAll, describe, expect, it, vi } from "vitest";
import { ENGINES } from "../../../client/training/engines.ts";
import { MODELS } from "../../../shared/learning/models/index.ts";

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

  it("prints nothing: tfjs's CPU backend would advertise tfjs-node at its first write", () => {
    for (const print of prints) expect(print).not.toHaveBeenCalled();
  });
});
