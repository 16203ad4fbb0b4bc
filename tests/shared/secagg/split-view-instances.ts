import { placementProof } from "../../../shared/secagg/graph-parameters.ts";
import type { Ring } from "./split-views.ts";

export interface Instance extends Ring {
  readonly corrupted: number;
}

/** Every degree and threshold that placement-proof gives from one size to another, each with the A it was made for. */
export function placementProofInstances(smallest: number, largest: number): Instance[] {
  const found = new Map<string, Instance>();
  for (let size = smallest; size <= largest; size++) {
    for (let corrupted = 0; corrupted <= 3; corrupted++) {
      for (let dropped = 0; dropped <= 3; dropped++) {
        const parameters = placementProof({ cohort: size, corrupted: corrupted / size, dropout: dropped / size });
        if (parameters === null) continue;
        const instance = { size, ...parameters, corrupted };
        found.set(text(instance), instance);
      }
    }
  }
  return [...found.values()];
}

export const text = ({ size, degree, threshold, corrupted }: Instance) =>
  `n=${size} k=${degree} t=${threshold} A=${corrupted}`;

export const named = (instances: readonly Instance[]) =>
  instances.map((instance) => [text(instance), instance] as const);
