import type { FederatedTask } from "../../../server/task.ts";
import { inverseCoefficients, type ToeplitzFactor } from "../../../shared/privacy/correlated/toeplitz.ts";
import { type NoiseKind, noiseLaw } from "../../../shared/privacy/noise/noise-law.ts";
import { type NoiseWords, seededWords, systemWords } from "../../../shared/privacy/noise/noise-words.ts";
import type { SecureRandom } from "../../../shared/random/secure-random.ts";
import { type SeededRandom, seededRandom } from "../../../shared/random/seeded-random.ts";
import { isDistributed, type PrivacyPlan } from "./privacy-plan.ts";
import { centralSensitivity, type EncodingTerms } from "./private-terms.ts";

/** What the coordinator adds to a round's unmasked sum: its own noise, or that of all devices of a simulation at once. */
export function coordinatorNoise(
  plan: PrivacyPlan,
  encoding: EncodingTerms,
  seed: number,
  { random }: { readonly random: SecureRandom },
): Pick<FederatedTask, "addNoise"> {
  const { privacy, noiseMultiplier } = plan;
  if (isDistributed(privacy)) return privacy.noise === "device" ? {} : aggregateNoise(plan, encoding, seed);
  const deviation = noiseMultiplier * centralSensitivity(encoding);
  if (privacy.mechanism === "local") {
    // Replacing a device's update moves the sum by twice its norm; one draw of the same squared error for all of them.
    return {
      addNoise: (sum, round, { contributors }) =>
        addRounded(sum, 2 * deviation * Math.sqrt(contributors), seededRandom(seed, "local-noise", round)),
    };
  }
  if (plan.correlated !== undefined) return correlatedNoise(plan.correlated.factor, deviation, seed);
  if (privacy.randomness === "system") {
    const words = systemWords(random);
    return { addNoise: (sum) => noiseLaw("gaussian", deviation ** 2).addTo(sum, words) };
  }
  return { addNoise: (sum, round) => addRounded(sum, deviation, seededRandom(seed, "central-noise", round)) };
}

/**
 * One draw of the law of the survivors' sum: exact for Skellam noise, and of discrete Gaussians as near as it is accounted,
 * because a share deviates by more than two steps of the grid (`privacy.md` 1.9, rule 9).
 */
function aggregateNoise(
  { privacy }: PrivacyPlan,
  { noiseShare }: EncodingTerms,
  seed: number,
): Pick<FederatedTask, "addNoise"> {
  const kind: NoiseKind = privacy.mechanism === "distributed-skellam" ? "skellam" : "gaussian";
  const shareVariance = Math.round(noiseShare ** 2);
  return {
    addNoise(sum, round, { survivors }) {
      const words: NoiseWords<"seeded"> = seededWords(seededRandom(seed, "aggregate-noise", round));
      noiseLaw(kind, survivors * shareVariance).addTo(sum, words);
    },
  };
}

/**
 * Round t's row of C⁻¹ z (`privacy.md` 1.7): the noise of earlier rounds, drawn again from the seed, takes part of theirs
 * away. Every round's number is a step: none is given out twice.
 */
function correlatedNoise(factor: ToeplitzFactor, deviation: number, seed: number): Pick<FederatedTask, "addNoise"> {
  const inverse = inverseCoefficients(factor);
  return {
    addNoise(sum, round) {
      const total = new Float64Array(sum.length);
      for (let past = 0; past < Math.min(round, inverse.length); past++) {
        const random = seededRandom(seed, "correlated-noise", round - past);
        const weight = deviation * inverse[past];
        for (let i = 0; i < total.length; i++) total[i] += weight * random.normal();
      }
      for (let i = 0; i < sum.length; i++) sum[i] += Math.round(total[i]);
    },
  };
}

/**
 * Gaussian noise on a sum of levels, rounded to whole levels: the sum is whole, so rounding is post-processing of the
 * Gaussian mechanism. A simulation's noise: it is drawn in floating point, from the seed.
 */
function addRounded(sum: Int32Array, deviation: number, random: SeededRandom): void {
  for (let i = 0; i < sum.length; i++) sum[i] += Math.round(deviation * random.normal());
}
