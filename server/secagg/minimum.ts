import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import type { ClosedRoster } from "./confirm.ts";
import type { Roster, SecAggAbandoned } from "./stage.ts";

/** The least number of devices in U2 and in U3: with fewer, every device would abort at its floors. */
export function leastDevices(agreement: SecAggAgreement, parameters: AgreedParameters): number {
  const { floors, minSurvivors } = agreement;
  return Math.max(floors.minCohort, minSurvivors, floors.minHonest + parameters.corruptedTolerated);
}

/**
 * A secret that cannot be rebuilt even if every one of `holders` gives its share: then the round is abandoned before
 * anyone is asked for one.
 */
export function withoutEnoughHolders(
  { graph, devices }: Pick<Roster, "graph" | "devices">,
  owners: Iterable<number>,
  holders: ReadonlySet<number>,
): SecAggAbandoned | undefined {
  for (const owner of owners) {
    const have = countOf(graph.neighbours(owner), holders);
    if (have >= graph.threshold) continue;
    const detail = `${have} holders of the shares of ${devices[owner]} are left, ${graph.threshold} are needed`;
    return { reason: "too-few-shares", have, need: graph.threshold, detail };
  }
  return undefined;
}

/**
 * Whose secrets the sum needs: the seeds of the survivors, and the mask keys of those dropped devices whose masks are in
 * a survivor's upload. Between two dropped devices there is nothing to remove.
 */
export function secretOwners({
  graph,
  commitments,
  survivors,
}: Pick<ClosedRoster, "graph" | "survivors"> & { readonly commitments: { keys(): Iterable<number> } }): number[] {
  return [...commitments.keys()].filter(
    (index) => survivors.has(index) || countOf(graph.neighbours(index), survivors) > 0,
  );
}

function countOf(indices: readonly number[], among: ReadonlySet<number>): number {
  let count = 0;
  for (const index of indices) if (among.has(index)) count++;
  return count;
}
