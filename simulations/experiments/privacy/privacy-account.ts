import type { RunStore } from "../../../server/store/run-store.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { LedgerEntry } from "../../../shared/protocol/ledger-entry.ts";
import { ORDERS, poissonGaussianRdp, rdpEpsilon } from "./accounting.ts";
import type { PrivacyPlan } from "./privacy-plan.ts";

/** What a run has spent, from its ledger and from nothing else, and what its next round would cost. */
export interface PrivacyAccount {
  /** ε of everything in the ledger. */
  spent(): number;
  /**
   * Refuses a round that would go beyond the target, before it begins.
   * @throws {MurmurError} privacy-budget-spent
   */
  requireBudget(): void;
  /** Enters the round's release, synced: from the return on, its sum may be opened. */
  charge(round: number, at: number): void;
}

export function privacyAccount(plan: PrivacyPlan, store: Pick<RunStore, "ledger" | "charge">): PrivacyAccount {
  const cost = poissonGaussianRdp(plan.sampling, plan.noiseMultiplier);
  return {
    spent: () => ledgerEpsilon(store.ledger()),
    requireBudget() {
      const { epsilon } = plan.privacy;
      if (epsilon === undefined) return;
      const entries = store.ledger();
      const next = epsilonWith(entries, cost, plan.accountedDelta);
      if (next <= epsilon * (1 + SLACK)) return;
      throw new MurmurError(
        "privacy-budget-spent",
        `Another round would bring the run to ε = ${rounded(next)}, and privacy.epsilon is ${epsilon}; ${entries.length} ${entries.length === 1 ? "round has" : "rounds have"} been charged.`,
      );
    },
    charge(round, at) {
      store.charge({
        round,
        mechanism: plan.privacy.mechanism,
        sampling: plan.sampling,
        noiseMultiplier: plan.noiseMultiplier,
        steps: 1,
        delta: plan.privacy.delta,
        accountedDelta: plan.accountedDelta,
        orders: ORDERS,
        rdp: [...cost],
        at,
      });
    },
  };
}

/** Noise that was calibrated to a target meets it to this relative precision. */
const SLACK = 1e-9;

/** ε of a ledger's entries together; 0 of none. */
export function ledgerEpsilon(entries: readonly LedgerEntry[]): number {
  const [first] = entries;
  if (first === undefined) return 0;
  return epsilonWith(entries, new Float64Array(ORDERS.length), first.accountedDelta);
}

function epsilonWith(entries: readonly LedgerEntry[], more: Float64Array, delta: number): number {
  const total = Float64Array.from(more);
  for (const { rdp, steps } of entries) for (let i = 0; i < total.length; i++) total[i] += steps * rdp[i];
  return rdpEpsilon(total, delta);
}

/** Three decimals, never down. */
function rounded(epsilon: number): string {
  return (Math.ceil(1000 * epsilon) / 1000).toString();
}
