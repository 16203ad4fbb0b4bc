import { ENGINES } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { gatherExamples } from "../datasets/index.ts";
import { holdExamples } from "../datasets/partitions/holdings.ts";
import type { Attack, AttackTarget } from "./attack.ts";
import { lastDenseLayer } from "./dense-layers.ts";
import { meanNorm, observedSum, subtracted, wholeRange } from "./observed-sum.ts";

const LEARNING_RATE = 0.1;

/**
 * Which labels a device holds, from the biases of the last layer: a step of softmax regression moves bias c by
 * η (share of label c − mean predicted probability of c) (`privacy.md` 4.7), and the coordinator knows the model.
 */
export const label: Attack = {
  what: "reads from the last layer's biases which labels devices hold",
  async run(target, { seed, devices = 100, noise, cpuSeconds }) {
    const started = cpuSeconds();
    const { dataset, parameters, config } = target;
    const layer = lastDenseLayer(target.model);
    const trainer = await ENGINES[config.train.engine](target.model);
    try {
      // Two labels a device, mostly: what there is to find out.
      const holdings = holdExamples(dataset.train, devices, seed, { kind: "shards", perDevice: 2 });
      const updates: Float32Array[] = [];
      const truths: Float64Array[] = [];
      const total = new Float64Array(dataset.outputs);
      let examplesInAll = 0;
      for (let device = 0; device < devices; device++) {
        const held = holdings.examples(device);
        const examples = gatherExamples(dataset.train, held);
        const task = { epochs: 1, batchSize: held.length, learningRate: LEARNING_RATE };
        const trained = await trainer.train(
          parameters,
          examples,
          task,
          seededRandom(seed, "attacked-batches", 0, device),
        );
        updates.push(subtracted(trained.parameters, parameters));
        const counts = new Float64Array(dataset.outputs);
        for (const example of held) counts[dataset.train.labels[example]]++;
        counts.forEach((count, c) => {
          total[c] += count;
        });
        examplesInAll += held.length;
        truths.push(counts.map((count) => count / held.length));
      }
      const cohort = total.map((count) => count / examplesInAll);
      const { bits } = config.quantise;
      const predicted = await meanPrediction(trainer, target, seed);
      const read = (seen: Float32Array, count: number): Float64Array => {
        const moved = Array.from(
          { length: layer.units },
          (_, c) => seen[layer.bias.offset + c] / count / LEARNING_RATE,
        );
        return normalised(Float64Array.from(moved, (value, c) => value + predicted[c]));
      };
      const range = wholeRange(updates);
      const alone = updates.map((update, device) =>
        distance(read(observedSum([update], { seed, bits, range }), 1), truths[device]),
      );
      const guessed = truths.map((truth) => distance(cohort, truth));
      const sum = read(observedSum(updates, { seed, bits, range }), devices);
      const z = noise ?? 1;
      const noised = read(observedSum(updates, { seed, bits, range: meanNorm(updates), noise: z }), devices);
      const figures = {
        single: average(alone),
        cohort_as_guess: average(guessed),
        cohort: distance(sum, cohort),
        cohort_noised: distance(noised, cohort),
      };
      const text = (value: number): string => value.toFixed(3);
      return {
        attack: "label",
        target: target.origin,
        finding: `From one device's update its labels can be read almost exactly: ${text(figures.single)} of the shares are wrong (0 is exact, 1 nothing). From the sum of ${devices} devices only the cohort's can, which says of one device no more than ${text(figures.cohort_as_guess)}.`,
        heads: ["what the coordinator sees", "noise", "whose labels", "total variation distance"],
        rows: [
          ["one device, no secure aggregation", "none", "the device's", text(figures.single)],
          [`the sum of ${devices} devices`, "none", "the cohort's", text(figures.cohort)],
          [
            `the sum of ${devices} devices`,
            "none",
            "a device's, guessed from the cohort's",
            text(figures.cohort_as_guess),
          ],
          [`the sum of ${devices} devices`, `z = ${z}`, "the cohort's", text(figures.cohort_noised)],
        ],
        pictures: [],
        figures,
        defence:
          "Secure aggregation leaves the cohort's histogram, and nobody's own. Noise per device bounds what any one adds to it; noise per example does not hide what a device has many of.",
        cpuSeconds: cpuSeconds() - started,
      };
    } finally {
      await trainer.dispose();
    }
  },
};

const PUBLIC = 1000;

/** What the model predicts on average, from one step on public data whose labels are known: p̄ = ȳ − Δb / η. */
async function meanPrediction(
  trainer: Trainer,
  { dataset, parameters, model }: AttackTarget,
  seed: number,
): Promise<Float64Array> {
  const { bias } = lastDenseLayer(model);
  const count = Math.min(PUBLIC, dataset.test.count);
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  const task = { epochs: 1, batchSize: count, learningRate: LEARNING_RATE };
  const random = seededRandom(seed, "public-batches");
  const trained = await trainer.train(parameters, gatherExamples(dataset.test, indices), task, random);
  const shares = new Float64Array(dataset.outputs);
  for (const example of indices) shares[dataset.test.labels[example]] += 1 / count;
  return shares.map(
    (share, c) => share - (trained.parameters[bias.offset + c] - parameters[bias.offset + c]) / LEARNING_RATE,
  );
}

function normalised(shares: Float64Array): Float64Array {
  const positive = shares.map((share) => Math.max(0, share));
  const sum = positive.reduce((total, share) => total + share, 0);
  return sum === 0 ? positive.fill(1 / shares.length) : positive.map((share) => share / sum);
}

/** Total variation. */
function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / 2;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
