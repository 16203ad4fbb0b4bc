import { describe, expect, it } from "vitest";
import type { PrivacyReportData, ReportCell } from "../../../web/reports/privacy-report-data.ts";
import { firstSentence } from "../../../web/reports/privacy-sentence.ts";
import { divergedSeed, guaranteed, noiseless, sampleReport, seedResult, statement } from "./sample-report.ts";

const sentence = (cells: readonly ReportCell[], over: Partial<PrivacyReportData> = {}): string =>
  firstSentence(sampleReport({ cells, ...over }));

const WITHOUT = noiseless([0.95, 0.96, 0.94]);

describe("the first sentence over a frontier", () => {
  it("says what the guarantee near ε = 2 costs, in points of the medians", () => {
    expect(sentence([WITHOUT, guaranteed(8, [0.94]), guaranteed(2, [0.9, 0.91, 0.905]), guaranteed(1, [0.87])])).toBe(
      "With a guarantee for every device (ε = 2) the model recognises 90.5 % of what it has never seen, instead of 95.0 % without one: the guarantee costs 4.5 points.",
    );
  });

  it("has a difference that a reader comes to who subtracts the two figures", () => {
    // 88.94 and 88.66 differ by 0.28, and as they are printed by 0.2.
    expect(sentence([noiseless([0.8894]), guaranteed(2, [0.8866])])).toMatch(
      /88\.7 % .* instead of 88\.9 % without one: the guarantee costs 0\.2 points\.$/,
    );
  });

  it("does not sell noise that made it better", () => {
    expect(sentence([noiseless([0.9]), guaranteed(2, [0.93])])).toMatch(
      /93\.0 % .* instead of 90\.0 % without one: the guarantee cost nothing that could be measured\.$/,
    );
    expect(sentence([noiseless([0.9]), guaranteed(2, [0.9])])).toMatch(/nothing that could be measured/);
  });

  it("is about the target nearest to 2, wherever it stands, and of two as near the stricter", () => {
    expect(sentence([guaranteed(8, [0.9]), guaranteed(4, [0.8])])).toContain("(ε = 4)");
    expect(sentence([guaranteed(4, [0.9]), guaranteed(1, [0.8])])).toContain("(ε = 1)");
    expect(sentence([guaranteed(0.5, [0.7]), guaranteed(1, [0.8]), guaranteed(8, [0.9])])).toContain("(ε = 1)");
  });

  it("says that the model was lost where every run of it diverged", () => {
    const lost = guaranteed(2, [], { seeds: [divergedSeed(), divergedSeed({ seed: 2 })] });
    expect(sentence([WITHOUT, lost])).toBe(
      "With a guarantee for every device (ε = 2) the model was lost in the noise: this guarantee needs more devices, or a smaller step.",
    );
  });

  it("says both where some did: a median of three is an accuracy, and one run was lost", () => {
    const some = guaranteed(2, [], { seeds: [divergedSeed(), seedResult(0.9), seedResult(0.91)] });
    expect(sentence([WITHOUT, some])).toMatch(
      /recognises 90\.0 % .* costs 5\.0 points\. In 1 of 3 runs it was lost in the noise: the step is too large\.$/,
    );
  });

  it("compares with nothing where the run without noise diverged, or there is none", () => {
    const alone = "With a guarantee for every device (ε = 2) the model recognises 90.0 % of what it has never seen.";
    expect(sentence([noiseless([], { seeds: [divergedSeed()] }), guaranteed(2, [0.9])])).toBe(alone);
    expect(sentence([guaranteed(2, [0.9])])).toBe(alone);
  });

  it("of one seed is as of several", () => {
    expect(sentence([noiseless([0.9]), guaranteed(2, [0.88])])).toMatch(/costs 2\.0 points\.$/);
  });

  it("of a benchmark without noise promises nothing", () => {
    expect(sentence([WITHOUT])).toBe(
      "No privacy guarantee was asked for: the model recognises 95.0 % of what it has never seen.",
    );
    expect(sentence([])).toBe("Nothing was measured.");
  });

  it("is about local noise only where there is no other", () => {
    const local = guaranteed(2, [0.1], { mechanism: "local" });
    expect(sentence([WITHOUT, local, guaranteed(4, [0.9])])).toContain("(ε = 4)");
    // Local noise is a guarantee: it must not read as if none had been asked for.
    expect(sentence([WITHOUT, local])).toMatch(/\(ε = 2\) the model recognises 10\.0 % .* instead of 95\.0 %/);
  });

  it("compares like with like: the same fleet, and the same mechanism without noise", () => {
    const other = { mechanism: "distributed-gaussian", bits: 10 } as const;
    const cells = [
      noiseless([0.99], { population: 5000 }),
      noiseless([0.9], { population: 5000, ...other }),
      guaranteed(2, [0.85], { population: 5000, ...other }),
      noiseless([0.5]),
      guaranteed(2, [0.4]),
    ];
    expect(sentence(cells)).toMatch(/recognises 85\.0 % .* instead of 90\.0 %/);
  });

  it("never rounds an ε down that nobody asked for by a figure", () => {
    const reached = guaranteed(2, [0.9], { epsilonTarget: null, epsilon: statement(1.98123) });
    expect(sentence([reached])).toContain("(ε = 1.99)");
  });
});

describe("the first sentence over a crowd", () => {
  const sizes = [20, 500];
  const crowd = (noised: readonly number[], without: readonly number[] = []): string => {
    const cells = [
      ...noised.map((accuracy, i) => guaranteed(2, [accuracy], { population: sizes[i] })),
      ...without.map((accuracy, i) => noiseless([accuracy], { population: sizes[i] })),
    ];
    const lines = [{ noised: noised.map((_, i) => i), withoutNoise: without.map((_, i) => noised.length + i) }];
    return sentence(cells, { chart: "crowd", crowd: { lines } });
  };

  it("says what the same guarantee leaves among few and among many", () => {
    expect(crowd([0.1, 0.9], [0.8, 0.95])).toBe(
      "The same guarantee (ε = 2) leaves a model that recognises 10.0 % of what it has never seen among 20 devices, and 90.0 % among 500: privacy needs a crowd.",
    );
  });

  it("draws the lesson from what the guarantee costs, and not from there being more data", () => {
    expect(crowd([0.5, 0.8], [0.6, 0.9])).toMatch(/a crowd has more data, but the guarantee costs as much in it\.$/);
    expect(crowd([0.5, 0.8])).toMatch(/among more it is better\.$/);
  });

  it("does not say that a crowd helped where it did not", () => {
    expect(crowd([0.5, 0.4], [0.6, 0.6])).toMatch(/: more devices did not help\.$/);
  });

  it("of one size is a sentence about it, and of none one that says so", () => {
    expect(crowd([0.5])).toBe(
      "Among 20 devices a guarantee of ε = 2 leaves a model that recognises 50.0 % of what it has never seen.",
    );
    expect(sentence([WITHOUT], { chart: "crowd", crowd: { lines: [] } })).toBe("No crowd was measured.");
    expect(sentence([WITHOUT], { chart: "crowd", crowd: { lines: [{ noised: [], withoutNoise: [] }] } })).toBe(
      "No crowd was measured.",
    );
    expect(sentence([WITHOUT], { chart: "crowd" })).toBe("No crowd was measured.");
  });
});
