import type { EpsilonStatement, SamplingStatement } from "../../../shared/privacy/epsilon-statement.ts";
import type { RunConfig } from "../config.ts";
import { corruptedOf, isDistributed, isNoiseless, type PrivacyPlan, privacyPlan } from "./privacy-plan.ts";

/**
 * What a run's ε is, and for whom. The amplified figure is a promise against those who see models: the coordinator drew
 * the cohort and knows it (`privacy.md` 1.9, rule 1).
 *
 * @param played rounds that were charged; absent: all that the noise is for
 */
export function epsilonStatement(plan: PrivacyPlan, played: number = plan.rounds): EpsilonStatement {
  const { privacy, account, noiseMultiplier, accountedDelta, roster, correlated } = plan;
  const most = correlated === undefined ? played : Math.ceil(played / correlated.separation);
  const participations = Math.min(most, privacy.maxParticipations ?? most);
  return {
    epsilon: account.epsilon(noiseMultiplier, played, accountedDelta),
    delta: privacy.delta,
    unit: "device",
    adjacency: account.adjacency,
    sampling: samplingOf(plan, played),
    accountant: account.accountant,
    unamplified: {
      epsilon: account.unamplified(noiseMultiplier, participations, accountedDelta),
      participations,
      enforced: privacy.maxParticipations !== undefined || correlated !== undefined,
    },
    ...(isDistributed(privacy) ? { colluders: corruptedOf(privacy, roster) } : {}),
    simulation: privacy.randomness === "seeded",
  };
}

/** What a run may say of its privacy after so many releases; undefined where it has none to speak of. */
export function claimOf(config: RunConfig, charged: number): EpsilonStatement | undefined {
  const plan = privacyPlan(config);
  return plan === undefined || isNoiseless(plan) || charged === 0 ? undefined : epsilonStatement(plan, charged);
}

/** Warnings that stand on every view of a run whose promise is a simulation's. */
export function privacyStamps(config: RunConfig): string[] {
  const plan = privacyPlan(config);
  if (plan === undefined || isNoiseless(plan)) return [];
  const { mechanism, noise, randomness } = plan.privacy;
  const isAtOnce = (isDistributed(plan.privacy) || mechanism === "local") && noise === "aggregate";
  return [...(randomness === "seeded" ? ["INSECURE-DETERMINISTIC"] : []), ...(isAtOnce ? ["NOISE-AGGREGATE"] : [])];
}

function samplingOf({ account, sampling, correlated }: PrivacyPlan, rounds: number): SamplingStatement {
  if (correlated !== undefined) return { kind: "separated", rounds, gap: correlated.separation };
  return account.isAmplified && sampling < 1 ? { kind: "poisson", rate: sampling, rounds } : { kind: "none" };
}
