import { describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { createAlgorithm } from "../../../shared/learning/algorithms/index.ts";
import type { LocalTraining } from "../../../shared/learning/local-training.ts";
import type { RunConfigDocument } from "../../../simulations/experiments/config.ts";
import { loadAlgorithm } from "../../../simulations/experiments/load-algorithm.ts";
import { createTask } from "../../../simulations/experiments/task-terms.ts";
import { smallConfig } from "./run-fixtures.ts";

const LARGEST_DEVICE = 70;
const PARAMETERS = new Float32Array(12);

/** What devices are told and agree to, for a configuration with these sections. */
async function taskOf(changes: Pick<RunConfigDocument, "train" | "algorithm" | "fleet">) {
  const config = smallConfig(changes);
  const algorithm = await loadAlgorithm(config, PARAMETERS);
  const values = algorithm.broadcast(algorithm.init(PARAMETERS)).length;
  return createTask(config, cryptoProvider, new Uint8Array(16), values, LARGEST_DEVICE, undefined, algorithm);
}

describe("what devices are asked to do", () => {
  const plain: LocalTraining = { epochs: 1, batchSize: 10, learningRate: 0.1 };

  it.each<[string, Parameters<typeof taskOf>[0], LocalTraining]>([
    ["plain SGD by default", {}, plain],
    [
      "momentum",
      { train: { optimizer: { kind: "momentum", nesterov: true }, lr: 0.5, batch: 3, epochs: 2 } },
      {
        epochs: 2,
        batchSize: 3,
        learningRate: 0.5,
        optimizer: { kind: "momentum", momentum: 0.9, nesterov: true },
      },
    ],
    [
      "Adam, with the paper's figures",
      { train: { optimizer: { kind: "adam" } } },
      { ...plain, optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } },
    ],
    [
      "weight decay and gradient clipping",
      { train: { weightDecay: 0.01, gradientClip: 5 } },
      { ...plain, weightDecay: 0.01, gradientClip: 5 },
    ],
    ["a proximal term", { algorithm: { kind: "fedprox", mu: 0.3 } }, { ...plain, proximalMu: 0.3 }],
    ["no proximal term of strength 0", { algorithm: { kind: "fedprox", mu: 0 } }, plain],
  ])("is %s", async (_, changes, training) => {
    expect((await taskOf(changes)).training).toEqual(training);
  });
});

describe("what devices agree to", () => {
  it.each<[string, Parameters<typeof taskOf>[0], readonly string[]]>([
    ["examples as weights", {}, ["weight:examples:70", "quantise:16:1"]],
    ["uniform weights", { algorithm: { kind: "fedadam", weight: "uniform" } }, ["weight:uniform", "quantise:16:1"]],
    ["clipping first", { train: { clip: 2 } }, ["clip:2", "weight:examples:70", "quantise:16:1"]],
    ["SCAFFOLD's devices counted alike", { algorithm: { kind: "scaffold" } }, ["weight:uniform", "quantise:16:1"]],
  ])("is %s", async (_, changes, transforms) => {
    expect((await taskOf(changes)).terms.transforms).toEqual(transforms);
  });

  it("is twice as many coordinates with SCAFFOLD, and a procedure", async () => {
    const [one, two] = [await taskOf({}), await taskOf({ algorithm: { kind: "scaffold" } })];
    expect(one.terms.dimension).toBe(PARAMETERS.length + one.terms.slots.slots.length);
    expect(two.terms.dimension).toBe(2 * PARAMETERS.length + two.terms.slots.slots.length);
    expect([one.procedure, two.procedure]).toEqual([undefined, "scaffold"]);
  });
});

describe("the coordinator's half", () => {
  it("has the papers' figures by default, and the fleet's size", async () => {
    const named = async (algorithm: RunConfigDocument["algorithm"]) =>
      loadAlgorithm(
        smallConfig({ ...(algorithm === undefined ? {} : { algorithm }), fleet: { devices: 30 } }),
        PARAMETERS,
      );
    const update = { delta: Float32Array.from({ length: 12 }, (_, i) => i / 7 - 1), weight: 1, survivors: 6 };
    for (const [kind, spec] of [
      ["fedavg", { kind: "fedavg", serverLr: 1 }],
      ["fedavgm", { kind: "fedavgm", serverLr: 1, momentum: 0.9 }],
      ["fedadam", { kind: "fedadam", serverLr: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 }],
      ["fedyogi", { kind: "fedyogi", serverLr: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 }],
      ["fedadagrad", { kind: "fedadagrad", serverLr: 0.01, beta1: 0, beta2: 0, tau: 1e-3 }],
    ] as const) {
      const [found, wanted] = [await named({ kind }), createAlgorithm(spec)];
      expect(found.next(found.init(PARAMETERS), update)).toEqual(wanted.next(wanted.init(PARAMETERS), update));
    }
    const scaffold = await named({ kind: "scaffold" });
    const both = { ...update, delta: new Float32Array(24).fill(1) };
    // c ← 0 + 6/30 · 1
    expect(scaffold.broadcast(scaffold.next(scaffold.init(PARAMETERS), both))[12]).toBe(Math.fround(0.2));
  });
});
