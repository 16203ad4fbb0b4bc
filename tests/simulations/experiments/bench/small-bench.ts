import type { z } from "zod";
import {
  type BenchConfig,
  type benchConfigSchema,
  parseBenchConfig,
} from "../../../../simulations/experiments/bench/bench-config.ts";

/** Two targets times two seeds of a linear model on 40 devices, three rounds each: seconds. */
export function smallBench(over: Partial<z.input<typeof benchConfigSchema>> = {}): BenchConfig {
  const { base, ...rest } = over;
  return parseBenchConfig({
    title: "Small",
    base: {
      task: { dataset: "mnist", partition: { kind: "drawn", perDevice: 20 }, model: "softmax" },
      fleet: { devices: 40, dropout: 0 },
      train: { epochs: 1, batch: 10, lr: 0.1 },
      algorithm: { kind: "fedavg", weight: "uniform" },
      round: { count: 3, cohort: 20, overSelection: 1, evaluateEvery: 1 },
      secagg: { fidelity: "off" },
      privacy: { delta: 0.00001, clip: 0.5, sampling: 0.5 },
      ...base,
    },
    grid: { mechanism: ["central"], epsilon: [8, 2] },
    seeds: [1, 2],
    baselines: ["chance"],
    ...rest,
  });
}
