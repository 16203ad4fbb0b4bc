import { ENGINES } from "../../client/training/engines.ts";
import type { RecoveredPicture } from "../../shared/attacks/attack-result.ts";
import type { Attack, AttackTarget } from "./attack.ts";
import { type DenseLayer, firstDenseLayer } from "./dense-layers.ts";
import { meanNorm, observedSum, wholeRange } from "./observed-sum.ts";
import { asPicture, matchPictures, psnr, recoveredShare } from "./pictures.ts";
import { type SingleUpdates, singleUpdates } from "./single-updates.ts";

const LEARNING_RATE = 0.1;
/** Pictures that look like the original to anybody. */
const CLEAR = 30;

/**
 * Inputs from the update of a first dense layer, in closed form: z = W x + b, so that ∂L/∂W_i = g_i xᵀ and ∂L/∂b_i = g_i, and
 * any row's quotient is x where there is one input (`privacy.md` 4.1). Nothing is optimised.
 */
export const invert: Attack = {
  what: "reads pictures out of an update's first dense layer, in closed form",
  async run(target, { seed, devices, noise, quick, cpuSeconds }) {
    const started = cpuSeconds();
    const layer = firstDenseLayer(target.model);
    const trainer = await ENGINES[target.config.train.engine](target.model);
    try {
      const counts = devices === undefined ? (quick ? [1, 10, 100] : [1, 2, 5, 10, 20, 50, 100]) : [devices];
      const noises = noise === undefined ? [undefined, 0.1] : [noise];
      const rows: string[][] = [];
      const pictures: RecoveredPicture[] = [];
      const figures: Record<string, number> = {};
      const alone = await singleUpdates(trainer, target.dataset, target.parameters, {
        devices: Math.max(...counts),
        learningRate: LEARNING_RATE,
        seed,
      });
      const one = invertOne(alone, layer, target, seed, cpuSeconds);
      figures.single_psnr = one.psnr;
      figures.single_seconds = one.seconds;
      for (const z of noises) {
        for (const count of counts) {
          const { share, best } = invertSum(alone, count, z, layer, target, seed);
          const name = z === undefined ? `sum_${count}` : `sum_${count}_noise_${z}`;
          figures[name] = share;
          rows.push([
            count === 1 ? "one device, no secure aggregation" : `the sum of ${count} devices`,
            z === undefined ? "none" : `z = ${z}`,
            `${Math.round(100 * share)} %`,
          ]);
          if (pictures.length < 8) pictures.push({ ...best, name: `${rows.at(-1)?.[0]}, noise ${rows.at(-1)?.[1]}` });
        }
      }
      const largest = counts.at(-1) ?? 1;
      return {
        attack: "invert",
        target: target.origin,
        finding: `One device's update of one picture gives the picture back at ${one.psnr.toFixed(1)} dB, in ${(1000 * one.seconds).toFixed(0)} ms. Of a sum of ${largest} devices ${Math.round(100 * (figures[`sum_${largest}`] ?? figures[`sum_${largest}_noise_${noise}`] ?? 0))} % of pictures are clear.`,
        heads: ["what the coordinator sees", "noise", `pictures above ${CLEAR} dB`],
        rows,
        pictures,
        figures,
        defence:
          "Secure aggregation leaves the coordinator the sum alone, in which pictures lie on each other: over 50 devices hardly any is left, over 5 many are. Noise ends it at any number. Training on more examples, for longer, blurs them too, and promises nothing.",
        cpuSeconds: cpuSeconds() - started,
      };
    } finally {
      await trainer.dispose();
    }
  },
};

/** One device's update as it arrives: least squares over all rows, each weighed by its own gradient. */
function invertOne(
  { updates, originals }: SingleUpdates,
  layer: DenseLayer,
  target: AttackTarget,
  seed: number,
  cpuSeconds: () => number,
): { readonly psnr: number; readonly seconds: number } {
  const { quantise } = target.config;
  const seen = observedSum([updates[0]], { seed, bits: quantise.bits, range: wholeRange(updates.slice(0, 1)) });
  const started = cpuSeconds();
  const recovered = asPicture(leastSquares(seen, layer));
  const seconds = cpuSeconds() - started;
  return { psnr: psnr(originals[0], recovered), seconds };
}

function invertSum(
  { updates, originals }: SingleUpdates,
  count: number,
  noise: number | undefined,
  layer: DenseLayer,
  target: AttackTarget,
  seed: number,
): { readonly share: number; readonly best: Omit<RecoveredPicture, "name"> } {
  const summed = updates.slice(0, count);
  const { bits } = target.config.quantise;
  const range = noise === undefined ? wholeRange(summed) : meanNorm(summed);
  const seen = observedSum(summed, { seed, bits, range, ...(noise === undefined ? {} : { noise }) });
  const candidates = count === 1 ? [asPicture(leastSquares(seen, layer))] : rowQuotients(seen, layer).map(asPicture);
  const matches = matchPictures(originals.slice(0, count), candidates);
  const [best] = matches;
  const [height, width] = target.dataset.train.inputShape;
  return {
    share: recoveredShare(matches, count, CLEAR),
    best: {
      width,
      height,
      original: originals[best.original],
      recovered: candidates[best.recovered],
      psnr: best.psnr,
    },
  };
}

/** x = Σ_i g_i (∂L/∂W_i) / Σ_i g_i²: what all rows say together, where all say the same. */
export function leastSquares(update: Float32Array, { kernel, bias, inputs, units }: DenseLayer): Float32Array {
  const sums = new Float64Array(inputs);
  let square = 0;
  for (let unit = 0; unit < units; unit++) {
    const gradient = update[bias.offset + unit];
    square += gradient * gradient;
    for (let i = 0; i < inputs; i++) sums[i] += gradient * update[kernel.offset + i * units + unit];
  }
  return Float32Array.from(sums, (sum) => sum / square);
}

/** One candidate a row: (∂L/∂W_i) / (∂L/∂b_i), which is a single input where only one of them made the neuron fire. */
export function rowQuotients(update: Float32Array, { kernel, bias, inputs, units }: DenseLayer): Float32Array[] {
  const largest = update
    .subarray(bias.offset, bias.offset + units)
    .reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const candidates: Float32Array[] = [];
  for (let unit = 0; unit < units; unit++) {
    const gradient = update[bias.offset + unit];
    // A row without a gradient has nothing to tell.
    if (Math.abs(gradient) <= 1e-6 * largest) continue;
    candidates.push(
      Float32Array.from({ length: inputs }, (_, i) => update[kernel.offset + i * units + unit] / gradient),
    );
  }
  return candidates;
}
