import { ENGINES } from "../../client/training/engines.ts";
import type { RecoveredPicture } from "../../shared/attacks/attack-result.ts";
import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import { parameterManifestFor } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { type Dataset, gatherExamples } from "../datasets/index.ts";
import type { Attack, AttackTarget } from "./attack.ts";
import { type DenseLayer, firstDenseLayer, lastDenseLayer } from "./dense-layers.ts";
import { observedSum, wholeRange } from "./observed-sum.ts";
import { asPicture, type Match, matchPictures, recoveredShare } from "./pictures.ts";
import { type SingleUpdates, singleUpdates } from "./single-updates.ts";

const BINS = 1000;
const RECOGNISABLE = 20;
/** Public pictures that the coordinator takes its bins from. */
const PUBLIC = 10_000;

/**
 * A malicious coordinator's first layer: every row is the mean of the input and its bias one quantile of what that mean is
 * among public data, so that neighbouring rows differ in just the inputs whose mean lies between two quantiles (Fowl et al.
 * 2022, "Robbing the Fed", arXiv 2110.13057). What differs between two rows of a sum is one input, where one is in the bin.
 */
export const imprint: Attack = {
  what: "sends a first layer that keeps apart the pictures of a whole sum of devices",
  async run(target, { seed, devices = 100, noise, quick, cpuSeconds }) {
    const started = cpuSeconds();
    const model = trapModel(target);
    const trainer = await ENGINES.onnx(model);
    try {
      const seeds = quick ? [seed] : [seed, seed + 1, seed + 2, seed + 3, seed + 4];
      const noises = noise === undefined ? [undefined, 1e-3, 1e-2, 0.1] : [noise];
      const trap = trapParameters(model, target.dataset);
      const rows: string[][] = [];
      const figures: Record<string, number> = {};
      const pictures: RecoveredPicture[] = [];
      const outcomes = new Map<number | undefined, Recovered[]>(noises.map((z) => [z, []]));
      for (const [round, drawn] of seeds.entries()) {
        const updates = await singleUpdates(trainer, target.dataset, trap, { devices, learningRate: 1, seed: drawn });
        for (const [place, z] of noises.entries()) {
          // Noise in between is there to see where it ends: once is enough.
          if (round > 0 && place > 0 && place < noises.length - 1) continue;
          outcomes.get(z)?.push(recover(updates, model, target, drawn, z));
        }
      }
      for (const [z, found] of outcomes) {
        const share = found.reduce((sum, outcome) => sum + outcome.share, 0) / found.length;
        figures[z === undefined ? "no_noise" : `noise_${z}`] = share;
        rows.push([
          `the sum of ${devices} devices`,
          z === undefined ? "none" : `z = ${z}`,
          `${(100 * share).toFixed(1)} %`,
        ]);
        const name = z === undefined ? "through the sum, no noise" : `through the sum, z = ${z}`;
        pictures.push(...found[0].pictures.slice(0, z === undefined ? 6 : 1).map((picture) => ({ ...picture, name })));
      }
      const isRefused = looksLikeTrap(trap, model);
      return {
        attack: "imprint",
        target: `a first layer of ${BINS} rows that the coordinator made, in the place of the model's`,
        finding: `Through the sum of ${devices} devices, which secure aggregation leaves exact, ${rows[0][2]} of the pictures come out above ${RECOGNISABLE} dB (${noises[0] === undefined ? "without noise" : rows[0][1]}; mean of ${seeds.length}).`,
        heads: ["what the coordinator sees", "noise", `pictures above ${RECOGNISABLE} dB`],
        rows: [
          ...rows,
          ["a device that looks at the model first", "–", isRefused ? "refuses: rows are equal" : "sees nothing"],
        ],
        pictures,
        figures,
        defence:
          "Secure aggregation does not stop it: the sum is what is read. Noise does, from about a hundredth of the clip norm on. So does a device that looks at the model before it trains, or takes only models whose hash it knows (`allowedModels`).",
        cpuSeconds: cpuSeconds() - started,
      };
    } finally {
      await trainer.dispose();
    }
  },
};

/** The attacked dataset's inputs into the trap, and straight on to the outputs. */
function trapModel({ model }: AttackTarget): ModelDefinition {
  const inputs = model.inputShape.reduce((product, length) => product * length, 1);
  return {
    name: "imprint",
    title: `an imprint layer of ${BINS} rows`,
    inputShape: [inputs],
    outputs: model.outputs,
    loss: "softmaxCrossEntropy",
    createModel: (tf) =>
      tf.sequential({
        layers: [
          tf.layers.dense({ name: "imprint", units: BINS, activation: "relu", inputShape: [inputs] }),
          tf.layers.dense({ name: "logits", units: model.outputs }),
        ],
      }),
  };
}

/** Rows of means, biases at quantiles; outgoing weights the same for every row, so that all rows have the same gradient. */
function trapParameters(model: ModelDefinition, dataset: Dataset): ParameterVector {
  const parameters = new Float32Array(parameterManifestFor(model).size);
  const first = firstDenseLayer(model);
  const last = lastDenseLayer(model);
  const { inputs, units } = first;
  parameters.fill(1 / inputs, first.kernel.offset, first.kernel.offset + inputs * units);
  const inputsOfPublic = gatherExamples(
    dataset.test,
    Int32Array.from({ length: Math.min(PUBLIC, dataset.test.count) }, (_, i) => i),
  ).inputs;
  const means = Float64Array.from({ length: inputsOfPublic.length / inputs }, (_, i) =>
    mean(inputsOfPublic, i * inputs, inputs),
  ).sort();
  for (let j = 0; j < units; j++) {
    parameters[first.bias.offset + j] = -means[Math.floor((j * means.length) / units)];
    for (let c = 0; c < last.units; c++)
      parameters[last.kernel.offset + j * last.units + c] = (c - last.units / 2) / units;
  }
  return parameters;
}

function mean(values: Float32Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += values[i];
  return sum / count;
}

interface Recovered {
  readonly share: number;
  readonly pictures: readonly RecoveredPicture[];
}

function recover(
  { updates, originals }: SingleUpdates,
  model: ModelDefinition,
  { config, dataset }: AttackTarget,
  seed: number,
  noise: number | undefined,
): Recovered {
  const layer = firstDenseLayer(model);
  // Only the first layer is read: what the rest of the update is clamped to is nothing to whoever attacks.
  const range = noise === undefined ? wholeRange(updates, 0, layer.bias.offset + layer.units) : 1;
  const { bits } = config.quantise;
  const seen = observedSum(updates, {
    seed,
    bits,
    range,
    ...(noise === undefined ? {} : { noise }),
  });
  const candidates = binDifferences(seen, layer).map(asPicture);
  const matches = matchPictures(originals, candidates);
  const [height, width] = dataset.train.inputShape;
  const picture = ({ original, recovered, psnr }: Match): RecoveredPicture => ({
    name: "",
    width,
    height,
    original: originals[original],
    recovered: candidates[recovered],
    psnr,
  });
  return { share: recoveredShare(matches, originals.length, RECOGNISABLE), pictures: matches.slice(0, 6).map(picture) };
}

/** What one row's gradients have and the next one's have not: the inputs whose mean lies between the two biases. */
function binDifferences(update: Float32Array, { kernel, bias, inputs, units }: DenseLayer): Float32Array[] {
  const at = (j: number): number => (j < units ? update[bias.offset + j] : 0);
  const largest = Math.max(...Array.from({ length: units }, (_, j) => Math.abs(at(j) - at(j + 1))));
  const candidates: Float32Array[] = [];
  for (let j = 0; j < units; j++) {
    const weight = at(j) - at(j + 1);
    if (Math.abs(weight) < 1e-3 * largest) continue;
    candidates.push(
      Float32Array.from({ length: inputs }, (_, i) => {
        const row = kernel.offset + i * units + j;
        return (update[row] - (j + 1 < units ? update[row + 1] : 0)) / weight;
      }),
    );
  }
  return candidates;
}

/** Whether a device that looks at the first layer before it trains finds rows that no training leaves equal. */
export function looksLikeTrap(parameters: ParameterVector, model: ModelDefinition): boolean {
  const { kernel, inputs, units } = firstDenseLayer(model);
  let equal = 0;
  for (let j = 1; j < units; j++) {
    let isEqual = true;
    for (let i = 0; i < inputs && isEqual; i++) {
      const row = kernel.offset + i * units + j;
      isEqual = parameters[row] === parameters[row - 1];
    }
    if (isEqual) equal++;
  }
  return equal > 1;
}
