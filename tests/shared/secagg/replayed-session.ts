import type { SharingGraph } from "../../../shared/secagg/graph.ts";

/** What the coordinator shows each honest device: U2 with exchange 2, U3 with exchange 3. Sets are compared by identity. */
export interface Deceit {
  readonly graph: SharingGraph;
  readonly corrupted: ReadonlySet<number>;
  sharing(device: number): ReadonlySet<number>;
  survivors(device: number): ReadonlySet<number>;
}

/**
 * Whose confirmations a device needs before it gives shares: so many other survivors', anywhere in the roster (the
 * protocol), or t neighbours' (what would not do). Either is of one view, U2 and U3 together.
 */
export type ConfirmationRule = number | "neighbours";

export interface ReplayedDeceit extends Deceit {
  readonly confirmations: ConfirmationRule;
}

export interface ReplayedSession {
  /** Honest devices that sent their shares in exchange 4. */
  readonly accepted: ReadonlySet<number>;
  /** Whether the masks of exactly this sum of honest uploads can be removed. */
  opens(devices: readonly number[]): boolean;
}

/**
 * A session in counts instead of bytes: each honest device makes the checks of exchanges 2 to 4 on what it is shown, the
 * corrupted ones sign and reveal whatever helps.
 */
export function replaySession(deceit: ReplayedDeceit): ReplayedSession {
  const { graph, corrupted, sharing, survivors, confirmations } = deceit;
  const honest = Array.from({ length: graph.size }, (_, device) => device).filter((device) => !corrupted.has(device));
  const enough = (devices: readonly number[]) => devices.length >= graph.threshold;
  const uploaded = honest.filter((u) => {
    const inU2 = sharing(u);
    return inU2.has(u) && enough(graph.neighbours(u).filter((v) => inU2.has(v)));
  });
  const signed = new Set(
    uploaded.filter((u) => {
      const list = survivors(u);
      const subset = [...list].every((v) => sharing(u).has(v));
      return subset && list.has(u) && enough(graph.neighbours(u).filter((v) => list.has(v)));
    }),
  );
  const sameView = (u: number, v: number) => sharing(u) === sharing(v) && survivors(u) === survivors(v);
  const confirms = (u: number) => (v: number) =>
    v !== u && survivors(u).has(v) && (corrupted.has(v) || (signed.has(v) && sameView(u, v)));
  const accepted = new Set(
    [...signed].filter((u) =>
      confirmations === "neighbours"
        ? enough(graph.neighbours(u).filter(confirms(u)))
        : [...survivors(u)].filter(confirms(u)).length >= confirmations,
    ),
  );
  const rebuilt = (owner: number, kind: "seed" | "mask key") =>
    enough(
      graph.neighbours(owner).filter((holder) => {
        if (corrupted.has(holder)) return true;
        if (!accepted.has(holder) || !sharing(holder).has(owner)) return false;
        return (survivors(holder).has(owner) ? "seed" : "mask key") === kind;
      }),
    );
  return {
    accepted,
    opens: (devices) =>
      devices.every(
        (u) =>
          uploaded.includes(u) &&
          rebuilt(u, "seed") &&
          graph
            .neighbours(u)
            .filter((v) => sharing(u).has(v) && !corrupted.has(v) && !devices.includes(v))
            .every((v) => rebuilt(v, "mask key")),
      ),
  };
}
