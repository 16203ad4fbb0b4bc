import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Adversary,
  finder,
  placementProof,
  type SecaggParametersOptions,
  secaggParameters,
} from "../../../shared/secagg/graph-parameters.ts";
import { tolerated } from "../../../shared/secagg/graph-rules.ts";
import { answerParameterQuery } from "../../../shared/secagg/parameter-query.ts";

interface Row {
  readonly n: number;
  readonly corrupted_fraction: number;
  readonly dropout_fraction: number;
  readonly adversary: Adversary;
  readonly sigma: number;
  readonly eta: number;
  readonly degree: number | null;
  readonly threshold: number | null;
}

const load = (name: string) => JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8"));
const reference: { finder: Row[]; placement_proof: Row[] } = load("graph_parameters.json");
const google: { finder: Row[]; infeasible: Row[]; invalid: Row[] } = load("google_graph_parameters.json");

const population = (row: Row) => ({
  cohort: row.n,
  corrupted: row.corrupted_fraction,
  dropout: row.dropout_fraction,
});
const name = (row: Row) => `n=${row.n} γ=${row.corrupted_fraction} δ=${row.dropout_fraction} ${row.adversary ?? ""}`;
const defaults = { sigma: 40, eta: 20 };

const written = (parameters: { degree: number; threshold: number } | null) =>
  parameters === null ? "complete" : `${parameters.degree}/${parameters.threshold}`;

describe("the finder", () => {
  it.each(reference.finder.map((row) => [name(row), row] as const))("reference: %s", (_, row) => {
    expect(answerParameterQuery({ ...population(row), ...row, rule: "finder" })).toMatchObject({
      degree: row.degree,
      threshold: row.threshold,
    });
  });

  const columns = [
    ["semi-honest", 0.05, 0.05],
    ["semi-honest", 0.05, 0.1],
    ["semi-honest", 0.1, 0.1],
    ["semi-honest", 0.33, 0.1],
    ["semi-malicious", 0.05, 0.05],
    ["semi-malicious", 0.05, 0.1],
    ["semi-malicious", 0.1, 0.1],
    ["semi-malicious", 0.2, 0.1],
    ["semi-malicious", 0.1, 0.2],
    ["semi-malicious", 0.33, 0.1],
  ] as const;
  it.each([
    [32, "4/2 6/2 8/4 14/11 4/3 8/5 10/7 14/11 16/10 18/15"],
    [64, "8/4 10/4 14/7 28/22 10/7 16/10 20/14 26/20 32/20 34/28"],
    [100, "12/6 16/6 22/11 42/32 16/11 26/16 32/22 42/32 52/32 54/44"],
    [128, "14/7 16/7 24/13 48/36 20/14 30/19 38/26 50/38 62/38 66/54"],
    [256, "20/12 26/13 36/20 72/52 34/24 48/31 62/43 84/63 102/64 116/92"],
    [512, "26/15 32/17 42/24 90/64 44/31 66/44 82/57 116/86 152/97 168/132"],
    [1000, "30/17 36/19 48/27 102/72 52/37 78/52 96/67 140/104 194/124 218/171"],
    [10_000, "34/20 42/22 54/31 126/88 62/44 96/64 122/85 184/136 280/179 310/242"],
    [100_000, "36/21 46/23 58/33 138/96 68/48 106/70 134/93 204/150 312/199 348/271"],
  ] as const)("table of degrees at σ = 40, η = 20, n = %d", (cohort, expected) => {
    const row = columns.map(([adversary, corrupted, dropout]) =>
      written(finder({ cohort, corrupted, dropout }, { adversary, ...defaults })),
    );
    expect(row.join(" ")).toBe(expected);
  });

  it("gives what the protocol uses at σ = 64", () => {
    const row = [256, 512, 1000, 2000].map((cohort) =>
      written(finder({ cohort, corrupted: 0.05, dropout: 0.1 }, { adversary: "semi-malicious", sigma: 64, eta: 20 })),
    );
    expect(row).toEqual(["48/31", "72/49", "86/59", "98/67"]);
  });

  it.each(google.finder.map((row) => [name(row), row] as const))("Google's: %s", (_, row) => {
    const found = finder(population(row), { adversary: row.adversary, ...defaults });
    expect(found?.degree).toBe(row.degree);
    // Google's quantiles are rounded outwards, so its expectation is an upper bound there too.
    expect(found?.threshold).toBeLessThanOrEqual(row.threshold!);
    expect(found?.threshold).toBeGreaterThanOrEqual(row.threshold! - 1);
  });

  it.each(google.infeasible.map((row) => [name(row), row] as const))("says complete graph: %s", (_, row) => {
    expect(finder(population(row), { adversary: row.adversary, ...defaults })).toBeNull();
  });

  it.each(google.invalid.map((row) => [name(row), row] as const))("refuses nonsense: %s", (_, row) => {
    expect(() => finder(population(row), { adversary: row.adversary, ...defaults })).toThrow(RangeError);
  });
});

describe("placement-proof", () => {
  it.each(reference.placement_proof.map((row) => [name(row), row] as const))("reference: %s", (_, row) => {
    expect(answerParameterQuery({ ...population(row), rule: "placement-proof" })).toMatchObject({
      degree: row.degree,
      threshold: row.threshold,
    });
  });

  it.each([
    [0.05, 0.05, "64→10/7 100→16/11 128→20/14 256→38/26 512→76/51"],
    [0.05, 0.1, "64→16/10 100→26/16 128→32/20 256→64/39 512→128/77 1000→252/152"],
    [0.1, 0.1, "100→32/22 256→76/51"],
    [0.2, 0.1, "100→42/32 256→102/77"],
    [0.33, 0.1, "100→54/44"],
  ] as const)("table for γ = %d, δ = %d", (corrupted, dropout, line) => {
    for (const entry of line.split(" ")) {
      const [cohort, expected] = entry.split("→");
      expect(`${cohort}→${written(placementProof({ cohort: Number(cohort), corrupted, dropout }))}`).toBe(
        `${cohort}→${expected}`,
      );
    }
  });

  it("is null where no even degree below n is enough", () => {
    expect(placementProof({ cohort: 100, corrupted: 0.3, dropout: 0.35 })).toBeNull();
  });

  it("meets its three conditions, and no smaller even degree does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 2000 }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        (cohort, corrupted, dropout) => {
          const { corrupted: A, dropped: D } = tolerated({ cohort, corrupted, dropout });
          const good = (k: number, t: number) => 2 * t > k + A && k - D >= t && k > A + D && k <= cohort - 1;
          const found = placementProof({ cohort, corrupted, dropout });
          if (found !== null) expect(good(found.degree, found.threshold)).toBe(true);
          const smaller = [];
          for (let k = 2; k < (found?.degree ?? cohort); k += 2) {
            for (let t = 1; t <= k; t++) if (good(k, t)) smaller.push(`${k}/${t}`);
          }
          expect(smaller).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("counting the tolerated devices", () => {
  it("means 29 by 0.29 of 100, whatever binary fractions make of it", () => {
    expect(0.29 * 100).toBeLessThan(29);
    expect(tolerated({ cohort: 100, corrupted: 0.29, dropout: 0.57 })).toEqual({ corrupted: 29, dropped: 57 });
  });

  it("counts every exact hundredth exactly, and never rounds up a real shortfall", () => {
    for (let percent = 0; percent < 100; percent++) {
      for (const cohort of [100, 300, 1000, 123_400, 1_000_000]) {
        const exact = (percent * cohort) / 100;
        expect(tolerated({ cohort, corrupted: percent / 100, dropout: 0 }).corrupted).toBe(Math.floor(exact));
      }
    }
    expect(tolerated({ cohort: 100, corrupted: 0.2899999, dropout: 0 }).corrupted).toBe(28);
  });
});

describe("what the protocol does", () => {
  const of = (options: SecaggParametersOptions) => secaggParameters(options);

  it.each([
    [13, 4, 9],
    [26, 8, 17],
    [64, 21, 43],
  ])("n = %d: complete graph, A %d, t %d", (cohort, A, t) => {
    expect(of({ cohort })).toEqual({
      ok: true,
      graph: "complete",
      rule: "complete",
      degree: cohort - 1,
      threshold: t,
      corruptedTolerated: A,
      dropoutsTolerated: cohort - 1 - t,
      claim: "active",
    });
  });

  it("takes the placement-proof graph above 64, while it fits the slots", () => {
    expect(of({ cohort: 65 })).toMatchObject({ graph: "harary", rule: "placement-proof", claim: "active" });
    expect(of({ cohort: 100 })).toEqual({
      ok: true,
      graph: "harary",
      rule: "placement-proof",
      degree: 26,
      threshold: 16,
      corruptedTolerated: 5,
      dropoutsTolerated: 10,
      claim: "active",
    });
    expect(of({ cohort: 1000 })).toMatchObject({ rule: "placement-proof", degree: 252, threshold: 152 });
  });

  it("takes the finder at σ = 64 where that does not fit, and claims less", () => {
    expect(of({ cohort: 2000 })).toMatchObject({
      graph: "harary",
      rule: "finder",
      degree: 98,
      threshold: 67,
      claim: "semi-malicious",
    });
    // Nobody can talk it into the command's σ = 40 or a kinder adversary.
    expect(of({ cohort: 2000, sigma: 10, adversary: "semi-honest" })).toEqual(of({ cohort: 2000 }));
  });

  it.each([
    ["too-many-corrupted", { cohort: 60, corrupted: 0.4 }],
    ["too-many-dropouts", { cohort: 60, dropout: 0.5 }],
    // 45 drop-outs ask for 100 of 99 neighbours: more than the graph bears, so no other graph is tried.
    ["degree-exceeds-cohort", { cohort: 100, dropout: 0.47 }],
    ["degree-exceeds-slots", { cohort: 10_000, corrupted: 0.33 }],
    ["degree-exceeds-slots", { cohort: 256, force: "complete" }],
    ["cohort-too-small", { cohort: 2 }],
  ] as const)("refuses: %s", (code, options) => {
    const parameters = of(options);
    expect(parameters).toMatchObject({ ok: false, code });
    expect(parameters.ok || parameters.reason).toMatch(/^[A-Z0-9].*\d.*\.$/);
  });

  it("can be forced to a complete graph as far as slots reach", () => {
    expect(of({ cohort: 255, force: "complete" })).toMatchObject({ graph: "complete", degree: 254, threshold: 170 });
  });

  it("never agrees to anything that fails the auditor's inequalities", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1500 }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        (cohort, corrupted, dropout) => {
          const parameters = of({ cohort, corrupted, dropout });
          if (!parameters.ok) return;
          const { degree: k, threshold: t, corruptedTolerated: A, dropoutsTolerated: D } = parameters;
          expect(k).toBeLessThan(cohort);
          expect(k).toBeLessThanOrEqual(254);
          expect(t).toBeGreaterThanOrEqual(2);
          expect(A).toBeGreaterThanOrEqual(Math.floor(corrupted * cohort));
          expect(D).toBeGreaterThanOrEqual(Math.floor(dropout * cohort));
          if (parameters.claim !== "active") return;
          expect(2 * t).toBeGreaterThan(k + A);
          expect(k - D).toBeGreaterThanOrEqual(t);
          expect(k).toBeGreaterThan(A + D);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("the command's answer", () => {
  it("sets the protocol's graph beside the formula", () => {
    expect(answerParameterQuery({ cohort: 64, corrupted: 0.05, dropout: 0.1 })).toEqual({
      degree: 16,
      threshold: 10,
      graph: { kind: "complete", rule: "complete", degree: 63, threshold: 43, claim: "active" },
    });
    expect(answerParameterQuery({ cohort: 256, rule: "finder" })).toEqual({
      degree: 48,
      threshold: 31,
      graph: { kind: "harary", rule: "placement-proof", degree: 64, threshold: 39, claim: "active" },
    });
  });

  it("answers null for the formula and the reason for the protocol where neither has a graph", () => {
    const answer = answerParameterQuery({ cohort: 1000, corrupted: 0.33, dropout: 0.33 });
    expect(answer).toMatchObject({ degree: null, threshold: null, graph: { code: "degree-exceeds-cohort" } });
    expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
  });
});
