import { gaussianEpsilon } from "../../../shared/privacy/accounting/analytic-gaussian.ts";
import { gaussianRdp, poissonGaussianCurve } from "../../../shared/privacy/accounting/gaussian-rdp.ts";
import { composedRdp, type RdpCurve, rdpCurve, wholeOrderCurve } from "../../../shared/privacy/accounting/orders.ts";
import { rdpEpsilon } from "../../../shared/privacy/accounting/rdp-conversion.ts";
import { subsampledRdp } from "../../../shared/privacy/accounting/subsampled-integer-orders.ts";
import { sensitivity } from "../../../shared/privacy/correlated/sensitivity.ts";
import { squareRootFactor, type ToeplitzFactor } from "../../../shared/privacy/correlated/toeplitz.ts";
import type { Accountant, Adjacency } from "../../../shared/privacy/epsilon-statement.ts";
import { distributedRdp } from "./mechanism-rdp.ts";

/** How a mechanism's releases add up to an ε. */
export interface MechanismAccount {
  readonly accountant: Accountant;
  readonly adjacency: Adjacency;
  /** Whether sampling is part of the ε. */
  readonly isAmplified: boolean;
  /**
   * One release, for the ledger. Where sampling is not part of the ε, that of a device that takes part in it: what it comes
   * to over several is not their sum, and `epsilon` knows it.
   */
  curve(noiseMultiplier: number): RdpCurve;
  /** ε of so many rounds. */
  epsilon(noiseMultiplier: number, rounds: number, delta: number): number;
  /** ε for a device that takes part in so many of them, as if everybody knew in which. */
  unamplified(noiseMultiplier: number, participations: number, delta: number): number;
}

/** Noise of one Gaussian on a Poisson sample's sum. @param q sampling rate */
export function centralAccount(q: number): MechanismAccount {
  return sampledAccount(
    "add-or-remove-one",
    (noise) => poissonGaussianCurve(q, noise),
    (noise, participations, delta) => gaussianEpsilon(noise / Math.sqrt(participations), delta),
  );
}

/** Whole-numbered noise, of the coordinator or of many devices, at whole orders alone. */
export function integerAccount(q: number, adjacency: Adjacency): MechanismAccount {
  const alone = (noise: number, participations: number, delta: number): number => {
    const curve = rdpCurve(distributedRdp(noise));
    return rdpEpsilon(composedRdp([{ curve, times: participations }]), delta).epsilon;
  };
  return sampledAccount(adjacency, (noise) => wholeOrderCurve(subsampledRdp(q, distributedRdp(noise))), alone);
}

function sampledAccount(
  adjacency: Adjacency,
  curve: MechanismAccount["curve"],
  unamplified: MechanismAccount["unamplified"],
): MechanismAccount {
  return {
    accountant: "rdp",
    adjacency,
    isAmplified: true,
    curve,
    epsilon: (noise, rounds, delta) => rdpEpsilon(composedRdp([{ curve: curve(noise), times: rounds }]), delta).epsilon,
    unamplified,
  };
}

/**
 * Every device enough noise for itself, replacing one, in as many rounds as it takes part in (`privacy.md` 1.3).
 * @param most participations of one device
 */
export function localAccount(most: number): MechanismAccount {
  const epsilon = (noise: number, participations: number, delta: number): number =>
    gaussianEpsilon(noise / Math.sqrt(Math.max(1, Math.min(most, participations))), delta);
  return {
    accountant: "analytic-gaussian",
    adjacency: "replace-one",
    isAmplified: false,
    curve: (noise) => rdpCurve(gaussianRdp(noise)),
    epsilon,
    unamplified: epsilon,
  };
}

/** Correlated noise over rounds, of which a device takes part in some that lie apart (`privacy.md` 1.7); zero-out. */
export function correlatedAccount(factor: ToeplitzFactor, separation: number): MechanismAccount {
  const epsilon = (noise: number, rounds: number, delta: number): number => {
    const most = Math.max(1, Math.ceil(Math.min(rounds, factor.rounds) / separation));
    return gaussianEpsilon(noise / sensitivity(factor, { most, separation }), delta);
  };
  return {
    accountant: "analytic-gaussian",
    adjacency: "zero-out",
    isAmplified: false,
    curve: (noise) => rdpCurve(gaussianRdp(noise)),
    epsilon,
    unamplified: (noise, participations, delta) => epsilon(noise, participations * separation, delta),
  };
}

/** C of the correlated mechanisms; banded: as many bands as there are rounds between two participations. */
export function correlatedFactor(kind: "toeplitz" | "banded", rounds: number, separation: number): ToeplitzFactor {
  return kind === "toeplitz" ? squareRootFactor(rounds) : squareRootFactor(rounds, Math.min(rounds, separation));
}
