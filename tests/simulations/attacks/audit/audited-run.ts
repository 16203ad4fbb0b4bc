import { seededWords } from "../../../../shared/privacy/noise/noise-words.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import { type AuditedRelease, auditedRelease } from "../../../../simulations/attacks/audit/audited-release.ts";
import { type CanaryExperiment, canaryScores } from "../../../../simulations/attacks/audit/canary-experiment.ts";
import { type AuditVerdict, auditVerdict } from "../../../../simulations/attacks/audit/verdict.ts";
import { runConfigSchema } from "../../../../simulations/experiments/config.ts";

/** d of the audits. */
export const COORDINATES = 1024;
export const DELTA = 1e-5;

/** Distributed noise with z = 1, a tenth of a thousand devices in a round. */
export const config = {
  seed: 1,
  task: { dataset: "mnist", partition: { kind: "drawn", perDevice: 20 }, model: "softmax" },
  fleet: { devices: 1000 },
  train: { epochs: 1, batch: 10, lr: 0.1 },
  algorithm: { kind: "fedavg", weight: "uniform" },
  round: { count: 100, cohort: 100, overSelection: 1 },
  privacy: { mechanism: "distributed-gaussian", noiseMultiplier: 1, delta: DELTA, clip: 0.5 },
};

export const audited: AuditedRelease = auditedRelease(runConfigSchema.parse(config), COORDINATES);

/** One audit. Its coins, its rounding and its noise are of a seed, so that it finds the same whenever it is run. */
export function audit(release: AuditedRelease, seed: number, over: Partial<CanaryExperiment> = {}): AuditVerdict {
  const scores = canaryScores(release, {
    releases: 200,
    canaries: 100,
    canaryNorm: 5,
    seed,
    noise: seededWords(seededRandom(seed, "audit-noise")),
    ...over,
  });
  return auditVerdict(scores, release.noiseMultiplier, DELTA);
}
