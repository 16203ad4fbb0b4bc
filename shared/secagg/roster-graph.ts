import type { CryptoProvider } from "../crypto/provider.ts";
import type { SecAggAgreement } from "./agreement.ts";
import { ringPositions, type SharingGraph, sharingGraph } from "./graph.ts";
import { type AgreedParameters, type RefusedParameters, secaggParameters } from "./graph-parameters.ts";
import { ringDigest } from "./key-schedule.ts";

/** What a roster of this size is protected by, from the agreed fractions and rule: never sent, derived by each side. */
export function rosterParameters(
  agreement: Pick<SecAggAgreement, "corrupted" | "dropout" | "rule" | "sigma" | "eta">,
  rosterSize: number,
): AgreedParameters | RefusedParameters {
  return secaggParameters({
    cohort: rosterSize,
    corrupted: agreement.corrupted,
    dropout: agreement.dropout,
    sigma: agreement.sigma,
    eta: agreement.eta,
    ...(agreement.rule === "complete" ? { force: "complete" as const } : {}),
  });
}

/**
 * The graph over the roster's indices. A ring position is the index under the complete graph and placement-proof; under
 * the finder it is drawn by the graph seed, so that nobody can choose a key beside a victim's.
 */
export function rosterGraph(
  provider: Pick<CryptoProvider, "sha256">,
  parameters: AgreedParameters,
  idPks: readonly Uint8Array[],
  graphSeed: Uint8Array,
): SharingGraph {
  const shape = {
    kind: parameters.graph,
    size: idPks.length,
    degree: parameters.degree,
    threshold: parameters.threshold,
  };
  if (parameters.rule !== "finder") return sharingGraph(shape);
  return sharingGraph({
    ...shape,
    positions: ringPositions(idPks.map((idPk) => ringDigest(provider, graphSeed, idPk))),
  });
}
