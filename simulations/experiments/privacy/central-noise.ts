import type { FederatedTask } from "../../../server/task.ts";
import { type SeededRandom, seededRandom } from "../../../shared/random/seeded-random.ts";
import type { PrivacyPlan } from "./privacy-plan.ts";
import { centralSensitivity, type EncodingTerms } from "./private-terms.ts";

/**
 * The coordinator's Gaussian noise on a sum of levels, rounded to whole levels: the sum is whole, so rounding is
 * post-processing of the Gaussian mechanism. A simulation's noise: it is drawn in floating point, from the seed.
 */
export function seededCentralNoise(
  { noiseMultiplier }: PrivacyPlan,
  encoding: EncodingTerms,
  seed: number,
): Pick<FederatedTask, "addNoise"> {
  const deviation = noiseMultiplier * centralSensitivity(encoding);
  return {
    addNoise: (sum, round) => addRounded(sum, deviation, seededRandom(seed, "central-noise", round)),
  };
}

function addRounded(sum: Int32Array, deviation: number, random: SeededRandom): void {
  for (let i = 0; i < sum.length; i++) sum[i] += Math.round(deviation * random.normal());
}
