import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import { describe, expect, it } from "vitest";
import { MODELS } from "../../../../shared/learning/models/index.ts";
import { layersArtifacts } from "../../../../shared/learning/models/layers-artifacts.ts";
import { parameterManifestFor } from "../../../../shared/learning/models/model-parameters.ts";

describe("a model's artifacts", () => {
  it.each([...MODELS.keys()])("hold every parameter of %s where tf.layers looks for it", async (name) => {
    const definition = MODELS.get(name)!;
    const manifest = parameterManifestFor(definition);
    const parameters = Float32Array.from({ length: manifest.size }, (_, i) => i % 8191);
    const { modelJson, shards } = layersArtifacts(definition, parameters, { note: "kept" });
    expect(modelJson.userDefinedMetadata).toEqual({ note: "kept" });
    const [{ paths, weights }] = modelJson.weightsManifest;
    const bytes = Buffer.concat(paths.map((path) => shards.get(path)!));
    expect(bytes.length).toBe(4 * manifest.size);
    expect(Math.max(...[...shards.values()].map(({ length }) => length))).toBeLessThanOrEqual(4 * 1024 * 1024);

    await tf.setBackend("cpu");
    const loaded = await loadLayersModel({
      load: async () => ({
        modelTopology: modelJson.modelTopology,
        weightSpecs: weights.map((weight) => ({ ...weight, shape: [...weight.shape] })),
        weightData: new Uint8Array(bytes).buffer,
      }),
    });
    for (const { name: tensor, offset, size } of manifest.tensors) {
      const weight = loaded.weights.find(({ originalName }) => originalName === tensor);
      const values = weight?.read().dataSync() ?? [];
      expect(values.length).toBe(size);
      // Not by toEqual, which takes seconds for a million numbers.
      expect(values.findIndex((value, i) => value !== parameters[offset + i])).toBe(-1);
    }
    loaded.dispose();
  });
});
