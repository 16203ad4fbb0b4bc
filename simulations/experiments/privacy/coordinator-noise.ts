import type { FederatedTask } from "../../../server/task.ts";
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
    addNoise(sum, round, survivors) {
      const words: NoiseWords<"seeded"> = seededWords(seededRandom(seed, "aggregate-noise", round));
      noiseLaw(kind, survivors * shareVariance).addTo(sum, words);
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
