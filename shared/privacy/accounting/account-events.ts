import { correlatedNoiseEpsilon } from "../correlated/epsilon.ts";
import { squareRootFactor } from "../correlated/toeplitz.ts";
import { treeConcentration, treeEpsilon } from "../correlated/tree-aggregation.ts";
import type { Adjacency } from "../epsilon-statement.ts";
import { discreteGaussianSumRdp, skellamRdp } from "../mechanisms/distributed-rdp.ts";
import { gaussianEpsilon } from "./analytic-gaussian.ts";
import type { PrivacyEvent } from "./events.ts";
import { fixedSizeGaussianRdp } from "./fixed-size-rdp.ts";
import { gaussianRdp, poissonGaussianCurve } from "./gaussian-rdp.ts";
import { composedRdp, type RdpCurve, rdpCurve, wholeOrderCurve } from "./orders.ts";
import { laplaceRdp, randomisedResponseRdp, zcdpRdp } from "./other-rdp.ts";
import { composed, composedAll } from "./pld/compose.ts";
import { pldEpsilon } from "./pld/epsilon.ts";
import {
  cappedPoissonGaussianPld,
  discreteGaussianPld,
  gaussianPld,
  laplacePld,
  poissonGaussianPld,
  randomisedResponsePld,
  replaceOneGaussianPld,
} from "./pld/mechanisms.ts";
import type { Pld, Repeated } from "./pld/pld.ts";
import { rdpEpsilon } from "./rdp-conversion.ts";
import { subsampledRdp } from "./subsampled-integer-orders.ts";
import { tuningCurve } from "./tuning-rdp.ts";

/** What an event costs, by every accountant that has an answer; null where one has none. */
export interface EventAccount {
  /** By Rényi divergences at every order, and the order that gave it. */
  readonly rdp: { readonly epsilon: number; readonly order: number } | null;
  /** By privacy loss distributions, or exactly where there is a closed form. */
  readonly tight: { readonly epsilon: number; readonly by: "pld" | "analytic-gaussian" } | null;
  /** The tightest known, as if everybody knew who took part. */
  readonly unamplified: number | null;
  readonly adjacency: Adjacency;
}

/** @throws {RangeError} on an event that is none: without noise there is no ε. */
export function accountEvent(event: PrivacyEvent, delta: number): EventAccount {
  const curve = curveOf(event);
  const alone = withoutSampling(event);
  const [tight, unsampled] = [tightOf(event, delta), alone === undefined ? null : tightOf(alone, delta)];
  const unsampledCurve = alone === undefined ? undefined : curveOf(alone);
  return {
    rdp: curve === undefined ? null : rdpEpsilon(curve, delta),
    tight,
    unamplified:
      unsampled?.epsilon ?? (unsampledCurve === undefined ? null : rdpEpsilon(unsampledCurve, delta).epsilon),
    adjacency: adjacencyOf(event),
  };
}

/** Undefined where there is no Rényi accountant. */
function curveOf(event: PrivacyEvent): RdpCurve | undefined {
  const times = (curve: RdpCurve, steps: number): RdpCurve => composedRdp([{ curve, times: steps }]);
  switch (event.kind) {
    case "poisson-gaussian":
      return times(poissonGaussianCurve(event.sampling, event.noiseMultiplier), event.steps);
    case "gaussian":
      return times(rdpCurve(gaussianRdp(event.noiseMultiplier)), event.steps);
    case "fixed-size-gaussian": {
      const { population, cohort, noiseMultiplier, steps } = event;
      return times(rdpCurve(fixedSizeGaussianRdp(population, cohort, noiseMultiplier)), steps);
    }
    case "discrete-gaussian": {
      const rho = event.sensitivity ** 2 / (2 * event.deviation ** 2);
      return event.sampling === 1
        ? times(rdpCurve(zcdpRdp(rho)), event.steps)
        : times(wholeOrderCurve(subsampledRdp(event.sampling, zcdpRdp(rho))), event.steps);
    }
    case "distributed-gaussian":
      return times(wholeOrderCurve(subsampledRdp(event.sampling, discreteGaussianSumRdp(event))), event.steps);
    case "distributed-skellam":
      return times(wholeOrderCurve(subsampledRdp(event.sampling, skellamRdp(event))), event.steps);
    case "laplace":
      return times(rdpCurve(laplaceRdp(event.scale)), event.steps);
    case "randomised-response":
      return times(rdpCurve(randomisedResponseRdp(event.noise, event.values)), event.steps);
    case "tree":
      return rdpCurve(zcdpRdp(treeConcentration(event)));
    case "zcdp":
      return times(rdpCurve(zcdpRdp(event.rho)), event.steps);
    case "tuning": {
      const curve = curveOf(event.event);
      return curve === undefined ? undefined : tuningCurve(curve, event.shape, event.mean);
    }
    case "composed": {
      const curves = event.events.map(curveOf);
      const known = curves.flatMap((curve) => (curve === undefined ? [] : [{ curve, times: 1 }]));
      return known.length === curves.length ? composedRdp(known) : undefined;
    }
    case "replace-one-gaussian":
    case "capped-poisson-gaussian":
    case "correlated":
      return undefined;
  }
}

function tightOf(event: PrivacyEvent, delta: number): EventAccount["tight"] {
  switch (event.kind) {
    case "gaussian":
      return exact(gaussianEpsilon(event.noiseMultiplier / Math.sqrt(event.steps), delta));
    case "poisson-gaussian":
      if (event.sampling === 1) return tightOf({ ...event, kind: "gaussian" }, delta);
      break;
    case "tree":
      return exact(treeEpsilon(event, delta));
    case "correlated": {
      const { rounds, bands, participations, separation, noiseMultiplier } = event;
      const participation = { most: participations, separation };
      return exact(
        correlatedNoiseEpsilon(squareRootFactor(rounds, bands ?? rounds), participation, noiseMultiplier, delta),
      );
    }
    case "composed": {
      const plds = event.events.map(pldOf);
      const known = plds.flatMap((pld) => (pld === undefined ? [] : [pld]));
      if (known.length < plds.length || known.length === 0) return null;
      return { epsilon: pldEpsilon(composedAll(known), delta), by: "pld" };
    }
    default:
  }
  const repeated = pldOf(event);
  return repeated === undefined
    ? null
    : { epsilon: pldEpsilon(composed(repeated.pld, repeated.times), delta), by: "pld" };
}

function exact(epsilon: number): EventAccount["tight"] {
  return { epsilon, by: "analytic-gaussian" };
}

/** Undefined where a privacy loss distribution is not to be had, or not of one step. */
function pldOf(event: PrivacyEvent): Repeated<Pld> | undefined {
  switch (event.kind) {
    case "poisson-gaussian":
      return { pld: poissonGaussianPld(event), times: event.steps };
    case "gaussian":
      return { pld: gaussianPld(event), times: event.steps };
    case "replace-one-gaussian":
      return { pld: replaceOneGaussianPld(event), times: event.steps };
    case "capped-poisson-gaussian":
      return { pld: cappedPoissonGaussianPld(event), times: event.steps };
    case "discrete-gaussian":
      return { pld: discreteGaussianPld({ ...event, sigma: event.deviation }), times: event.steps };
    case "laplace":
      return { pld: laplacePld(event), times: event.steps };
    case "randomised-response":
      return { pld: randomisedResponsePld(event), times: event.steps };
    default:
      return undefined;
  }
}

/** The same without sampling; undefined where there is no sampling to leave out, and so no other figure. */
function withoutSampling(event: PrivacyEvent): PrivacyEvent | undefined {
  switch (event.kind) {
    case "poisson-gaussian":
    case "capped-poisson-gaussian":
      return { kind: "gaussian", noiseMultiplier: event.noiseMultiplier, steps: event.steps };
    case "replace-one-gaussian":
      return { ...event, sampling: 1 };
    case "fixed-size-gaussian":
      return { kind: "gaussian", noiseMultiplier: event.noiseMultiplier, steps: event.steps };
    case "discrete-gaussian":
    case "distributed-gaussian":
    case "distributed-skellam":
      return { ...event, sampling: 1 };
    case "tuning": {
      const alone = withoutSampling(event.event);
      return alone === undefined ? undefined : { ...event, event: alone };
    }
    case "composed": {
      const alone = event.events.map((part) => withoutSampling(part) ?? part);
      return { kind: "composed", events: alone };
    }
    default:
      return event;
  }
}

function adjacencyOf(event: PrivacyEvent): Adjacency {
  switch (event.kind) {
    case "replace-one-gaussian":
    case "fixed-size-gaussian":
    case "randomised-response":
      return "replace-one";
    case "distributed-gaussian":
    case "distributed-skellam":
    case "tree":
    case "correlated":
      return "zero-out";
    case "tuning":
      return adjacencyOf(event.event);
    case "composed": {
      const kinds = new Set(event.events.map(adjacencyOf));
      const [first] = kinds;
      if (first === undefined) throw new RangeError("nothing was released");
      // What an ε of one kind of neighbour says of another is not its sum with it.
      if (kinds.size > 1)
        throw new RangeError(`events of different adjacency do not compose: ${[...kinds].join(", ")}`);
      return first;
    }
    default:
      return "add-or-remove-one";
  }
}
