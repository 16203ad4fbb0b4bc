import { roundedUp } from "../../shared/privacy/epsilon-statement.ts";
import { seededWords } from "../../shared/privacy/noise/noise-words.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { median } from "../../shared/statistics/median.ts";
import { type RunConfig, runConfigSchema } from "../experiments/config.ts";
import { isDistributed, isNoiseless, privacyPlan } from "../experiments/privacy/privacy-plan.ts";
import type { Attack } from "./attack.ts";
import { type AuditedRelease, auditedRelease } from "./audit/audited-release.ts";
import { canaryScores } from "./audit/canary-experiment.ts";
import { type AuditVerdict, auditVerdict } from "./audit/verdict.ts";

const COORDINATES = 1024;
const RELEASES = 200;
const CANARIES = 100;
const DELTA = 1e-5;

/** What is built otherwise than it is claimed: noise times so much, and a clip norm so many times as long. */
interface Build {
  readonly name: string;
  readonly noise: number;
  readonly clip: number;
}

const BUILDS: readonly Build[] = [
  { name: "as it is claimed", noise: 1, clip: 1 },
  { name: "with 0.9 of the noise", noise: 0.9, clip: 1 },
  { name: "with noise over √2", noise: Math.SQRT1_2, clip: 1 },
  { name: "clipped to five times the norm", noise: 1, clip: 5 },
];

/**
 * Audits the claim itself: devices whose updates are orthogonal canaries, in or out by a coin, and what of each can be seen
 * in the noised sum proves a lower bound on ε (`privacy.md` 4.6). Above what is claimed, the build is at fault.
 */
export const canary: Attack = {
  what: "audits a run's noise: a lower bound on ε from canaries, beside what is claimed",
  async run({ config, origin }, { seed, quick, noise = 1, cpuSeconds }) {
    const started = cpuSeconds();
    const audits = quick ? 2 : 10;
    const own = ownNoise(config);
    const audited = own ?? usualRun(noise);
    const z = privacyPlan(audited)?.noiseMultiplier ?? noise;
    const rows: string[][] = [];
    const figures: Record<string, number> = {};
    for (const { name, noise: factor, clip } of BUILDS) {
      const release = builtOtherwise(audited, z, factor, clip);
      const verdicts = Array.from({ length: audits }, (_, index) => audit(release, z, seed + index));
      const accused = verdicts.filter((verdict) => verdict.accused).length;
      const [{ claimed }] = verdicts;
      // Each audit is wrong with its own small chance: the largest of several would be wrong more often than it says.
      const middle = (of: (verdict: AuditVerdict) => number): number => median(verdicts.map(of));
      figures[`accused_${name.replace(/[^a-z0-9]+/gi, "_")}`] = accused / audits;
      rows.push([
        name,
        `≤ ${roundedUp(claimed)}`,
        `≥ ${middle(({ gaussian }) => gaussian).toFixed(2)}`,
        `≥ ${middle(({ oneRun }) => oneRun).toFixed(2)}`,
        `${accused} of ${audits}`,
      ]);
    }
    return {
      attack: "canary",
      target:
        own === undefined
          ? `one release of distributed noise, z = ${z}`
          : `${origin}, one release, z = ${z.toPrecision(4)}`,
      finding: `Built as it is claimed, the noise was accused in ${rows[0][4]} audits; with 0.9 of the noise in ${rows[1][4]}, with noise over √2 in ${rows[2][4]}, with a clip norm that does not hold in ${rows[3][4]}.`,
      heads: ["the build", "claimed ε", "ε shown, if noise is Gaussian", "ε shown in any case", "accused"],
      rows,
      pictures: [],
      figures,
      defence: `${RELEASES} releases without sampling, ${CANARIES} canaries in each, δ = ${DELTA}, zero-out: a lower bound for what the mechanism does alone, not for a run that samples. It cannot prove a build right; it finds those that are wrong by a tenth.`,
      cpuSeconds: cpuSeconds() - started,
    };
  },
};

function audit(release: AuditedRelease, claimed: number, seed: number): AuditVerdict {
  const scores = canaryScores(release, {
    releases: RELEASES,
    canaries: Math.min(CANARIES, release.shares),
    canaryNorm: 1,
    seed,
    noise: seededWords(seededRandom(seed, "audit-noise")),
  });
  return auditVerdict(scores, claimed, DELTA);
}

/** The configuration, if devices make its noise. */
function ownNoise(config: RunConfig): RunConfig | undefined {
  const plan = privacyPlan(config);
  const isAudited =
    plan?.privacy.mechanism === "distributed-gaussian" && isDistributed(plan.privacy) && !isNoiseless(plan);
  return isAudited ? config : undefined;
}

/** A thousand devices, a tenth of them in a round. */
function usualRun(noiseMultiplier: number): RunConfig {
  return runConfigSchema.parse({
    fleet: { devices: 1000, dropout: 0 },
    algorithm: { kind: "fedavg", weight: "uniform" },
    round: { cohort: 100, overSelection: 1 },
    privacy: { mechanism: "distributed-gaussian", noiseMultiplier, clip: 0.5, delta: DELTA },
  });
}

function builtOtherwise(config: RunConfig, z: number, noise: number, clip: number): AuditedRelease {
  const { privacy } = config;
  if (privacy === undefined) throw new Error("what is audited has a privacy section");
  const norm = typeof privacy.clip === "number" ? privacy.clip : privacy.clip.initial;
  // Noise is made in clip norms: of a longer norm as much, it is fewer of them.
  const built = { ...privacy, clip: norm * clip, noiseMultiplier: (z * noise) / clip };
  return auditedRelease({ ...config, privacy: built }, COORDINATES);
}
