import "../../client/training/onnx/without-telemetry.ts";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import * as ort from "onnxruntime-node";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Examples } from "../../shared/learning/examples.ts";
import { allExamples, loadDataset } from "../../simulations/datasets/index.ts";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const TINY = {
  task: { dataset: "blobs", model: "2nn" },
  fleet: { devices: 12, dropout: 0 },
  round: { count: 1, cohort: 5, overSelection: 1, minCohort: 4 },
  secagg: { minHonest: 2 },
};

/** Ends in a softmax, which training takes off. */
const MODEL = `export const model = {
  inputShape: [28, 28, 1],
  outputs: 10,
  loss: "softmaxCrossEntropy",
  createModel: (tf) => tf.sequential({ layers: [
    tf.layers.conv2d({ name: "conv", filters: 2, kernelSize: 5, strides: 4, activation: "relu", inputShape: [28, 28, 1] }),
    tf.layers.flatten({ name: "flat" }),
    tf.layers.dense({ name: "classes", units: 10, activation: "softmax" }),
  ] }),
};
`;

async function trained(task: object): Promise<{ cwd: string; run: string; accuracy: number }> {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "own.mjs"), MODEL);
  writeFileSync(join(cwd, "c.yaml"), JSON.stringify({ ...TINY, task: { ...TINY.task, ...task } }));
  const { stdout } = await murmur(["run", "c.yaml", "--format", "json", "-q"], { cwd });
  return { cwd, ...JSON.parse(stdout) };
}

/** Probabilities, example by example, of an ONNX runtime. */
async function onnxOutputs(file: string, { inputs, count }: Examples, shape: readonly number[]): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(file);
  const { probabilities } = await session.run({ examples: new ort.Tensor("float32", inputs, [count, ...shape]) });
  await session.release();
  return probabilities.data as Float32Array;
}

/** Loads model.json and its weights as a page does, over HTTP. */
async function loadOverHttp(folder: string) {
  const server = createServer((request, response) => response.end(readFileSync(join(folder, request.url ?? ""))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return loadLayersModel(`http://127.0.0.1:${(server.address() as AddressInfo).port}/model.json`);
}

function accuracyOf(model: Awaited<ReturnType<typeof loadLayersModel>>, { inputs, labels, count }: Examples): number {
  return tf.tidy(() => {
    const shape = model.inputs[0].shape.slice(1) as number[];
    const outputs = model.predict(tf.tensor(inputs, [count, ...shape])) as tf.Tensor2D;
    const answers = tf.argMax(outputs, 1).dataSync();
    return answers.filter((answer, i) => answer === labels[i]).length / count;
  });
}

describe("murmur export", () => {
  it("writes a model.json that tf.loadLayersModel loads, with the accuracy that the run recorded", async () => {
    const { cwd, run, accuracy } = await trained({});
    const { exitCode, stdout } = await murmur(["export", run.slice(0, 3), "--to", "web"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`2nn of run ${run} after round 1`);
    const test = allExamples((await loadDataset("blobs", 42)).test);
    await tf.setBackend("cpu");
    expect(accuracy).toBeGreaterThan(0.3);
    const model = await loadOverHttp(join(cwd, "web"));
    expect(accuracyOf(model, test)).toBe(accuracy);
    const expected = tf.softmax(model.predict(tf.tensor(test.inputs, [test.count, 784])) as tf.Tensor).dataSync();
    const outputs = await onnxOutputs(join(cwd, "web", "model.onnx"), test, [784]);
    expect(Math.max(...outputs.map((p, i) => Math.abs(p - expected[i])))).toBeLessThan(1e-5);
    const { userDefinedMetadata } = JSON.parse(readFileSync(join(cwd, "web", "model.json"), "utf8"));
    expect(userDefinedMetadata.murmuration).toMatchObject({ run, model: "2nn", dataset: "blobs", scale: 1 / 255 });
  });

  it("writes a model of one's own with the softmax that it ends in", async () => {
    const { cwd, run, accuracy } = await trained({ model: "./own.mjs" });
    expect((await murmur(["export", run], { cwd })).exitCode).toBe(0);
    const model = await loadOverHttp(join(cwd, `model-${run}`));
    const test = allExamples((await loadDataset("blobs", 42)).test);
    expect(accuracyOf(model, test)).toBe(accuracy);
    const few = { ...test, inputs: test.inputs.subarray(0, 3 * 784), count: 3 };
    const probabilities = model.predict(tf.tensor(few.inputs, [3, 28, 28, 1])) as tf.Tensor;
    expect(tf.sum(probabilities).dataSync()[0]).toBeCloseTo(3, 5);
    const outputs = await onnxOutputs(join(cwd, `model-${run}`, "model.onnx"), few, [28, 28, 1]);
    const expected = probabilities.dataSync();
    expect(Math.max(...outputs.map((p, i) => Math.abs(p - expected[i])))).toBeLessThan(1e-5);

    writeFileSync(join(cwd, "own.mjs"), `${MODEL}// changed\n`);
    const changed = await murmur(["export", run, "--to", "other", "--format", "json"], { cwd });
    expect(JSON.parse(changed.stdout).name).toBe("input-changed");
  });

  it("overwrites only when told to, writes nothing with --dry-run, and needs a trained model", async () => {
    const { cwd, run } = await trained({ model: "softmax" });
    expect((await murmur(["export", run, "--dry-run"], { cwd })).stdout).toContain("would write");
    expect(readdirSync(cwd)).not.toContain(`model-${run}`);
    await murmur(["export", run], { cwd });
    const twice = await murmur(["export", run], { cwd });
    expect([twice.exitCode, twice.stderr]).toEqual([2, expect.stringContaining("already holds model.json")]);
    expect((await murmur(["export", run, "--force"], { cwd })).exitCode).toBe(0);
    expect((await murmur(["export", "nothing"], { cwd })).exitCode).toBe(2);
    const onto = await murmur(["export", run, "--to", "c.yaml"], { cwd });
    expect([onto.exitCode, onto.stderr]).toEqual([4, expect.stringContaining("Choose another folder with --to")]);
  });
});
