import type { EpsilonStatement } from "../../../shared/privacy/epsilon-statement.ts";
import { poissonGaussianRdp, rdpEpsilon } from "./accounting.ts";
import { corruptedOf, isDistributed, type PrivacyPlan } from "./privacy-plan.ts";

/**
 * What a run's ε is, and for whom. The amplified figure is a promise against those who see models: the coordinator drew
 * the cohort and knows it (`privacy.md` 1.9, rule 1).
 *
 * @param played rounds that were charged; absent: all that the noise is for
 */
export function epsilonStatement(plan: PrivacyPlan, played: number = plan.rounds): EpsilonStatement {
  const { privacy, sampling, noiseMultiplier, accountedDelta, roster } = plan;
  const isSampled = sampling < 1;
  const participations = Math.min(played, privacy.maxParticipations ?? played);
  const times = (rounds: number, q: number): number =>
    rdpEpsilon(
      poissonGaussianRdp(q, noiseMultiplier).map((value) => rounds * value),
      accountedDelta,
    );
  return {
    epsilon: times(played, sampling),
    delta: privacy.delta,
    unit: "device",
    adjacency: isDistributed(privacy) ? "zero-out" : "add-or-remove-one",
    sampling: isSampled ? { kind: "poisson", rate: sampling, rounds: played } : { kind: "none" },
    accountant: "rdp",
    unamplified: {
      epsilon: times(participations, 1),
      participations,
      enforced: privacy.maxParticipations !== undefined,
    },
    ...(isDistributed(privacy) ? { colluders: corruptedOf(privacy, roster) } : {}),
    simulation: privacy.randomness === "seeded",
  };
}
