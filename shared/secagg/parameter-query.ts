import { type AgreedParameters, type RefusalCode, secaggParameters } from "./graph-parameters.ts";
import { type Adversary, finder, placementProof } from "./graph-rules.ts";

/** One question to `murmur secagg parameters`. */
export interface ParameterQuery {
  readonly cohort: number;
  /** Default 0.05. */
  readonly corrupted?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Default finder. */
  readonly rule?: "finder" | "placement-proof";
  /** For the finder; default semi-malicious. */
  readonly adversary?: Adversary;
  /** For the finder; default 40. */
  readonly sigma?: number;
  /** For the finder; default 20. */
  readonly eta?: number;
}

/** The named rule's formula, and beside it what the protocol does at that cohort with those fractions. */
export interface ParameterAnswer {
  /** Null, with the threshold, where the rule itself says: complete graph. */
  readonly degree: number | null;
  readonly threshold: number | null;
  readonly graph: ProtocolGraph;
}

export type ProtocolGraph =
  | (Pick<AgreedParameters, "rule" | "degree" | "threshold" | "claim"> & { readonly kind: AgreedParameters["graph"] })
  | { readonly refused: string; readonly code: RefusalCode };

/** @throws {RangeError} for a cohort that is not a positive integer, or a fraction outside [0, 1). */
export function answerParameterQuery(query: ParameterQuery): ParameterAnswer {
  const { cohort, corrupted = 0.05, dropout = 0.1, rule = "finder" } = query;
  const { adversary = "semi-malicious", sigma = 40, eta = 20 } = query;
  const population = { cohort, corrupted, dropout };
  const formula = rule === "finder" ? finder(population, { adversary, sigma, eta }) : placementProof(population);
  return {
    degree: formula?.degree ?? null,
    threshold: formula?.threshold ?? null,
    graph: protocolGraph(secaggParameters(population)),
  };
}

function protocolGraph(parameters: ReturnType<typeof secaggParameters>): ProtocolGraph {
  if (!parameters.ok) return { refused: parameters.reason, code: parameters.code };
  const { graph, rule, degree, threshold, claim } = parameters;
  return { kind: graph, rule, degree, threshold, claim };
}
