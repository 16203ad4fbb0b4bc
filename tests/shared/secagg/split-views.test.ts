import { describe, expect, it } from "vitest";
import { confirmationQuorum } from "../../../shared/secagg/confirmation-quorum.ts";
import { type SharingGraph, sharingGraph } from "../../../shared/secagg/graph.ts";
import { secaggParameters } from "../../../shared/secagg/graph-parameters.ts";
import { type Deceit, replaySession } from "./replayed-session.ts";
import { type Instance, named, placementProofInstances, text } from "./split-view-instances.ts";
import { findBothSecrets, findDeceived, findTwoSums } from "./split-views.ts";

/** SPLIT_VIEWS=long searches up to n = 12 instead of 10, which takes minutes. */
const LONG = process.env.SPLIT_VIEWS === "long";

const quorumOf = ({ size }: SharingGraph, corrupted: number) => confirmationQuorum(size, corrupted);
const instances = named(placementProofInstances(5, LONG ? 12 : 10));

describe("an active coordinator that shows devices different lists of survivors", () => {
  it.each(instances)("never rebuilds both secrets of one device: %s", (_, ring) => {
    expect(findBothSecrets(ring, ring.corrupted, 2)).toBeNull();
    if (ring.size <= 7) expect(findBothSecrets(ring, ring.corrupted, 3)).toBeNull();
  });

  it("does as soon as 2t = k + A: the search can find what it looks for", () => {
    expect(findBothSecrets({ size: 10, degree: 4, threshold: 3 }, 2, 2)).not.toBeNull();
    expect(findTwoSums({ size: 10, degree: 4, threshold: 3 }, 2, 2)).not.toBeNull();
  });
});

describe("an active coordinator against the complete graph, also when it shows devices different U2", () => {
  const complete = [5, 6, 7, 8, 9, ...(LONG ? [10, 11] : [])].map((size): Instance => {
    const parameters = secaggParameters({ cohort: size });
    if (!parameters.ok) throw new Error(parameters.reason);
    const { degree, threshold, corruptedTolerated: corrupted } = parameters;
    return { size, degree, threshold, corrupted };
  });
  it.each(named(complete))("opens one sum, which has every honest signer of an accepted list: %s", (_, ring) => {
    expect(findTwoSums(ring, ring.corrupted, 2)).toBeNull();
    expect(findDeceived(ring, ring.corrupted, 2, true)).toBeNull();
  });
});

/**
 * What a sparse graph would not withstand if t confirmations of neighbours were enough, as on the complete graph, and what
 * the quorum of the whole roster makes of the same deceit.
 */
describe("neighbour-only confirmations would not do", () => {
  it("two arcs that are far apart would accept a list each", () => {
    const graph = sharingGraph({ kind: "harary", size: 26, degree: 6, threshold: 4 });
    const everyone = new Set(Array.from({ length: 26 }, (_, device) => device));
    const without = (device: number) => new Set([...everyone].filter((other) => other !== device));
    // Device 19 has signed the list of the far arc 0 … 12, and device 6 that of the arc 13 … 25; each arc calls its own
    // dissenter dead.
    const [listA, listB] = [without(6), without(19)];
    const deceit: Deceit = {
      graph,
      corrupted: new Set(),
      sharing: () => everyone,
      survivors: (device) => ((device <= 12 && device !== 6) || device === 19 ? listA : listB),
    };
    const session = replaySession({ ...deceit, confirmations: "neighbours" });
    expect(session.accepted.has(3) && session.accepted.has(16)).toBe(true);
    // One sum all the same, of those that are on both lists; it has fewer inputs than either list has names.
    expect(session.opens([...everyone].filter((device) => device !== 6 && device !== 19))).toBe(true);
    expect(session.opens([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12])).toBe(false);
    expect(replaySession({ ...deceit, confirmations: quorumOf(graph, 0) }).accepted.size).toBe(0);
  });

  it("a coordinator that splits U2 would open a sum of two, at the default parameters for a hundred devices", () => {
    const parameters = secaggParameters({ cohort: 100 });
    if (!parameters.ok) throw new Error(parameters.reason);
    expect(parameters).toMatchObject({ degree: 26, threshold: 16, corruptedTolerated: 5, dropoutsTolerated: 10 });
    const graph = sharingGraph({ kind: "harary", size: 100, ...parameters });
    const ring = (places: readonly number[]) => new Set(places.map((place) => (place + 100) % 100));
    const corrupted = ring([-2, -1, 0, 1, 2]);
    const victims = ring([-3, 3]);
    const sacrificed = ring([4, 6, 8, 9, 10, -4, -6, -8, -9, -10]);
    const everyone = ring(Array.from({ length: 100 }, (_, place) => place));
    const hidden = new Set(
      [...victims]
        .flatMap((victim) => graph.neighbours(victim))
        .filter((device) => !corrupted.has(device) && !victims.has(device) && !sacrificed.has(device)),
    );
    // The victims never hear of ten of their neighbours, so their uploads carry no masks of them; the sacrificed sign the
    // victims' view, and everybody else is told that the sacrificed dropped out.
    const shownToVictims = new Set([...everyone].filter((device) => !hidden.has(device)));
    const shownToOthers = new Set([...everyone].filter((device) => !sacrificed.has(device)));
    const deceit: Deceit = {
      graph,
      corrupted,
      sharing: (device) => (victims.has(device) || sacrificed.has(device) ? shownToVictims : everyone),
      survivors: (device) => (victims.has(device) || sacrificed.has(device) ? shownToVictims : shownToOthers),
    };
    const session = replaySession({ ...deceit, confirmations: "neighbours" });
    expect([...victims].every((victim) => session.accepted.has(victim))).toBe(true);
    // They believe in 84 - 5 honest inputs beside their own.
    expect(shownToVictims.size).toBe(84);
    expect(session.opens([...victims])).toBe(true);
    // One victim alone is not opened so, nor are the sacrificed.
    expect([...victims].some((victim) => session.opens([victim]))).toBe(false);
    expect([...sacrificed].some((device) => session.opens([device]))).toBe(false);

    const withQuorum = replaySession({ ...deceit, confirmations: quorumOf(graph, corrupted.size) });
    expect([...victims, ...sacrificed].some((device) => withQuorum.accepted.has(device))).toBe(false);
    expect(withQuorum.opens([...victims])).toBe(false);
  });

  it("would bear that attack at n = 10, k = 6, t = 4, A = 1 already, though not where 3t > 2k + A", () => {
    expect(findDeceived({ size: 10, degree: 6, threshold: 4 }, 1, 2, true)).not.toBeNull();
    const stronger = placementProofInstances(5, LONG ? 12 : 9).filter(
      ({ degree, threshold, corrupted }) => 3 * threshold > 2 * degree + corrupted,
    );
    expect(stronger.length).toBeGreaterThan(10);
    for (const ring of stronger) {
      expect(`${text(ring)}: ${JSON.stringify(findDeceived(ring, ring.corrupted, 2, true))}`).toBe(
        `${text(ring)}: null`,
      );
      expect(`${text(ring)}: ${JSON.stringify(findTwoSums(ring, ring.corrupted, 2))}`).toBe(`${text(ring)}: null`);
    }
  });
});

it("opens the sum of all survivors, and no part of it, when the coordinator shows everyone one view", () => {
  const parameters = secaggParameters({ cohort: 100 });
  if (!parameters.ok) throw new Error(parameters.reason);
  const graph = sharingGraph({ kind: "harary", size: 100, ...parameters });
  const everyone = new Set(Array.from({ length: 100 }, (_, device) => device));
  const corrupted = new Set([0, 1, 2, 98, 99]);
  const dropped = new Set([3, 7, 20, 33, 41, 50, 60, 70, 80, 90]);
  const list = new Set([...everyone].filter((device) => !dropped.has(device)));
  const session = replaySession({
    graph,
    corrupted,
    sharing: () => everyone,
    survivors: () => list,
    confirmations: quorumOf(graph, corrupted.size),
  });
  const all = [...list].filter((device) => !corrupted.has(device));
  expect(session.opens(all)).toBe(true);
  expect(session.opens(all.slice(0, 40))).toBe(false);
  expect(session.opens([4, 97])).toBe(false);
});
