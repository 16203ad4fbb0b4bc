import { decodeSum, encodeUpdate } from "../../../shared/learning/transforms/index.ts";
import type { NoiseWords } from "../../../shared/privacy/noise/noise-words.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { seededRounding } from "../../../shared/secagg/quantise.ts";
import { createRingAccumulator } from "../../../shared/secagg/ring-accumulator.ts";
import type { AuditedRelease } from "./audited-release.ts";

export interface CanaryExperiment {
  readonly releases: number;
  /** Devices that may send a canary in a release; no more than there are shares and coordinates. */
  readonly canaries: number;
  /** The norm that canaries are sent with, in clip norms: above 1 they also try the clipping. */
  readonly canaryNorm: number;
  /** Names the coins and the rounding. */
  readonly seed: number;
  /** What devices make their noise of. */
  readonly noise: NoiseWords;
}

/** One entry for every canary of every release. */
export interface CanaryScores {
  /** 1: the canary was in. */
  readonly included: Uint8Array;
  /** What of the canary is in what was released, in clip norms: about 1 if it was in and about 0 if not, and noise. */
  readonly scores: Float64Array;
}

/**
 * Releases in which canaries take part by a fair coin each (Steinke, Nasr, Jagielski 2023; `privacy.md` 4.6). As many
 * devices send as shares of the noise are counted on, the least that the claim may rest on: what other survivors add
 * could only hide more. Each canary is a coordinate of its own, so canaries are orthogonal and none is in another's
 * score. A device whose coin says no sends a zero update with its noise: the adjacency is zero-out.
 *
 * ```
 *  canary ─ transforms ─► ring vector ─ packed ─► ring sum ─ transforms back ─► released ─► score = released · canary
 * ```
 */
export function canaryScores(release: AuditedRelease, experiment: CanaryExperiment): CanaryScores {
  const { transforms, coordinates, dimension, bits, clipNorm, denominator, shares } = release;
  const { releases, canaries, canaryNorm, seed, noise } = experiment;
  if (canaries > shares || canaries > coordinates) {
    throw new RangeError(`${canaries} canaries in ${shares} devices and ${coordinates} coordinates`);
  }
  const included = new Uint8Array(releases * canaries);
  const scores = new Float64Array(releases * canaries);
  const coins = seededRandom(seed, "audit-coins");
  const rounding = seededRounding(seededRandom(seed, "audit-rounding"));
  const device = createRingAccumulator(dimension, bits);
  const sum = createRingAccumulator(dimension, bits);
  try {
    for (let round = 0; round < releases; round++) {
      sum.reset();
      for (let sender = 0; sender < shares; sender++) {
        const values = new Float32Array(coordinates);
        if (sender < canaries && coins.below(2) === 1) {
          included[round * canaries + sender] = 1;
          values[sender] = canaryNorm * clipNorm;
        }
        device.load(encodeUpdate(transforms, { kind: "float", values, metrics: {} }, { rounding, noise }));
        sum.addPacked(device.pack());
      }
      const ring = { kind: "ring", values: sum.toSignedSum(), survivors: shares } as const;
      const released = decodeSum(transforms, ring, { round }).values;
      for (let k = 0; k < canaries; k++) scores[round * canaries + k] = (released[k] * denominator) / clipNorm;
    }
  } finally {
    device.dispose();
    sum.dispose();
  }
  return { included, scores };
}
