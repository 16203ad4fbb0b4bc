import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ringPositions, type SharingGraph, sharingGraph } from "../../../shared/secagg/graph.ts";
import { secaggParameters } from "../../../shared/secagg/graph-parameters.ts";

const digest = (text: string) => new Uint8Array(createHash("sha256").update(text).digest());

/** A permutation of 0 … size - 1 that follows from the label. */
const shuffled = (size: number, label: string) =>
  ringPositions(Array.from({ length: size }, (_, index) => digest(`${label} ${index}`)));

const anyGraph = fc
  .record({ size: fc.integer({ min: 3, max: 60 }), half: fc.integer({ min: 1, max: 29 }), label: fc.string() })
  .filter(({ size, half }) => 2 * half < size)
  .map(({ size, half, label }) =>
    sharingGraph({ kind: "harary", size, degree: 2 * half, threshold: half, positions: shuffled(size, label) }),
  );

function connectedWithout(graph: SharingGraph, removed: number): boolean {
  const alive = ((1 << graph.size) - 1) & ~removed;
  let reached = alive & -alive;
  for (let before = 0; before !== reached; ) {
    before = reached;
    for (let index = 0; index < graph.size; index++) {
      if ((reached >> index) & 1) for (const neighbour of graph.neighbours(index)) reached |= alive & (1 << neighbour);
    }
  }
  return reached === alive;
}

const bits = (mask: number) => mask.toString(2).replaceAll("0", "").length;

describe("the sharing graph", () => {
  it("lists for every device its k neighbours, ascending, without itself, both ways", () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        for (let u = 0; u < graph.size; u++) {
          const neighbours = graph.neighbours(u);
          expect(neighbours).toHaveLength(graph.degree);
          expect(neighbours).toEqual([...new Set(neighbours)].sort((a, b) => a - b));
          expect(neighbours).not.toContain(u);
          expect(neighbours.filter((v) => !graph.neighbours(v).includes(u))).toEqual([]);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("gives the holders of a secret the slots 1 … k, in ascending index", () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        for (let owner = 0; owner < graph.size; owner++) {
          const slots = graph.neighbours(owner).map((holder) => graph.slot(owner, holder));
          expect(slots).toEqual(Array.from({ length: graph.degree }, (_, rank) => rank + 1));
        }
      }),
    );
  });

  it("knows no slot for oneself, a stranger, or nobody", () => {
    const graph = sharingGraph({ kind: "harary", size: 10, degree: 4, threshold: 3 });
    expect(graph.neighbours(0)).toEqual([1, 2, 8, 9]);
    for (const holder of [0, 3, 5, 7, -1, 10, 1.5]) {
      expect(() => graph.slot(0, holder)).toThrow(RangeError);
      expect(graph.areNeighbours(0, holder)).toBe(false);
    }
    expect(() => graph.neighbours(10)).toThrow(RangeError);
    expect(graph.slot(0, 9)).toBe(4);
  });

  it("joins everyone in the complete graph", () => {
    const graph = sharingGraph({ kind: "complete", size: 6, degree: 5, threshold: 3 });
    expect(graph.neighbours(2)).toEqual([0, 1, 3, 4, 5]);
    expect(graph.slot(2, 1)).toBe(2);
    expect(graph.slot(2, 3)).toBe(3);
  });

  it("is k-connected: no k - 1 removals disconnect it, and some k do", () => {
    for (let size = 5; size <= 11; size++) {
      for (let degree = 2; degree < size - 1; degree += 2) {
        const graph = sharingGraph({ kind: "harary", size, degree, threshold: 1, positions: shuffled(size, "cut") });
        let smallestCut = size;
        for (let removed = 0; removed < 2 ** size - 1; removed++) {
          if (bits(removed) < smallestCut && !connectedWithout(graph, removed)) smallestCut = bits(removed);
        }
        expect(`${size},${degree}: ${smallestCut}`).toBe(`${size},${degree}: ${degree}`);
      }
    }
  });

  it("places neighbours by ring position, not by index", () => {
    const positions = [3, 0, 4, 1, 2, 5];
    const graph = sharingGraph({ kind: "harary", size: 6, degree: 2, threshold: 1, positions });
    // Around the ring stand 1, 3, 4, 0, 2, 5.
    expect(graph.neighbours(1)).toEqual([3, 5]);
    expect(graph.neighbours(0)).toEqual([2, 4]);
  });

  it.each([
    [{ kind: "harary", size: 10, degree: 3, threshold: 2 }],
    [{ kind: "harary", size: 10, degree: 10, threshold: 2 }],
    [{ kind: "harary", size: 10, degree: 0, threshold: 2 }],
    [{ kind: "complete", size: 10, degree: 8, threshold: 2 }],
    [{ kind: "complete", size: 1, degree: 0, threshold: 1 }],
    [{ kind: "harary", size: 10, degree: 4, threshold: 5 }],
    [{ kind: "harary", size: 10, degree: 4, threshold: 0 }],
    [{ kind: "harary", size: 4, degree: 2, threshold: 1, positions: [0, 1, 1, 3] }],
    [{ kind: "harary", size: 4, degree: 2, threshold: 1, positions: [0, 1, 2] }],
    [{ kind: "harary", size: 4, degree: 2, threshold: 1, positions: [0, 1, 2, 4] }],
  ] as const)("refuses %j", (options) => {
    expect(() => sharingGraph(options)).toThrow(RangeError);
  });

  it("builds whatever the parameters agree to", () => {
    for (const cohort of [3, 13, 64, 65, 100, 500, 1000, 2000]) {
      const parameters = secaggParameters({ cohort });
      if (!parameters.ok) throw new Error(parameters.reason);
      const graph = sharingGraph({ kind: parameters.graph, size: cohort, ...parameters });
      expect(graph.neighbours(cohort - 1)).toHaveLength(parameters.degree);
    }
  });
});

describe("ring positions under the finder", () => {
  it("rank the digests as big-endian numbers", () => {
    const digests = [
      [2, 0],
      [1, 255],
      [0, 9],
      [2, 1],
    ].map((bytes) => new Uint8Array(bytes));
    expect(ringPositions(digests)).toEqual([2, 1, 0, 3]);
  });

  it("are a permutation that another seed changes throughout", () => {
    const a = shuffled(1000, "one seed");
    const b = shuffled(1000, "another seed");
    expect([...a].sort((x, y) => x - y)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect(a.filter((place, index) => place === b[index]).length).toBeLessThan(12);
  });

  it("put no chosen index beside another: neighbours are uniform over the ring", () => {
    // Device 0 and 1 of 9 are neighbours at degree 2 with probability 2/8 over the seed.
    let together = 0;
    for (let seed = 0; seed < 4000; seed++) {
      const graph = sharingGraph({
        kind: "harary",
        size: 9,
        degree: 2,
        threshold: 1,
        positions: shuffled(9, `${seed}`),
      });
      if (graph.areNeighbours(0, 1)) together++;
    }
    // Five standard deviations of Binomial(4000, 1/4); the seeds are fixed, so this cannot flicker.
    expect(Math.abs(together - 1000)).toBeLessThan(137);
  });
});
