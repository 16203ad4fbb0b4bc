import type { RunStore } from "../../../server/store/run-store.ts";
import { ORDERS } from "../../../shared/privacy/accounting/orders.ts";
import { roundedUp } from "../../../shared/privacy/epsilon-statement.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
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
  return {
    spent: () => ledgerEpsilon(plan, store.ledger().length),
    requireBudget() {
      const { epsilon } = plan.privacy;
      const charged = store.ledger().length;
      const next = ledgerEpsilon(plan, charged + 1);
      if (plan.correlated !== undefined && charged >= plan.correlated.factor.rounds) {
        throw spent(`The noise was made for ${charged} rounds, and all of them have been charged.`);
      }
      if (epsilon === undefined || next <= epsilon * (1 + SLACK)) return;
      throw spent(
        `Another round would bring the run to ε = ${roundedUp(next)}, and privacy.epsilon is ${epsilon}; ${charged} ${charged === 1 ? "round has" : "rounds have"} been charged.`,
      );
    },
    charge(round, at) {
      // A number that an interruption spent is a row of the noise's matrix that was passed over.
      if (plan.correlated !== undefined && round > plan.correlated.factor.rounds) {
        throw spent(`Round ${round} lies beyond the ${plan.correlated.factor.rounds} that the noise was made for.`);
      }
      const curve = plan.account.curve(plan.noiseMultiplier);
      // An order at which the mechanism has no divergence is not written: a ledger is added up where all entries have one.
      const known = ORDERS.flatMap((order, i) => (Number.isFinite(curve[i]) ? [{ order, rdp: curve[i] }] : []));
      store.charge({
        round,
        mechanism: plan.privacy.mechanism,
        sampling: plan.account.isAmplified ? plan.sampling : 1,
        noiseMultiplier: plan.noiseMultiplier,
        steps: 1,
        delta: plan.privacy.delta,
        accountedDelta: plan.accountedDelta,
        orders: known.map(({ order }) => order),
        rdp: known.map(({ rdp }) => rdp),
        at,
      });
    },
  };
}

function spent(message: string): MurmurError {
  return new MurmurError("privacy-budget-spent", message);
}

/** Noise that was calibrated to a target meets it to this relative precision. */
const SLACK = 1e-9;

/** ε of so many of a run's releases: all have the run's own noise and sampling. */
function ledgerEpsilon({ account, noiseMultiplier, accountedDelta }: PrivacyPlan, entries: number): number {
  return entries === 0 ? 0 : account.epsilon(noiseMultiplier, entries, accountedDelta);
}
