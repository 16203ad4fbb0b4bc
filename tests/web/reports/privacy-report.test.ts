import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import {
  cellsCsv,
  renderPrivacyReportHtml,
  renderPrivacyReportMarkdown,
  roundsCsv,
} from "../../../web/reports/privacy-report.tsx";
import type { PrivacyReportData, ReportCell } from "../../../web/reports/privacy-report-data.ts";
import { clipped, overlaps, textBoxes } from "../charts/svg-texts.ts";
import { divergedSeed, guaranteed, noiseless, sampleReport, seedResult, statement } from "./sample-report.ts";

const DISTRIBUTED = { mechanism: "distributed-gaussian", bits: 16 } as const;

const FRONTIER = sampleReport({
  cells: [
    noiseless([0.95, 0.96, 0.94]),
    guaranteed(8, [0.94, 0.93, 0.95]),
    guaranteed(2, [0.9, 0.91, 0.905]),
    noiseless([0.945, 0.95, 0.949], DISTRIBUTED),
    guaranteed(8, [0.93, 0.935, 0.94], DISTRIBUTED),
    guaranteed(2, [0.89, 0.9, 0.9], DISTRIBUTED),
    guaranteed(2, [], { mechanism: "local", seeds: [divergedSeed(), divergedSeed({ seed: 2 }), seedResult(0.11)] }),
  ],
  certified: {
    mechanism: "distributed-gaussian",
    rounds: 3,
    epsilon: statement(3.801),
    accuracy: 0.42,
    exact: true,
    roster: 168,
    uploadedBytesPerDevice: 530_000,
    cpuSeconds: 17,
  },
  audits: [{ name: "canaries", lowerBound: 1.239, upperBound: 2, epsilon: statement(2) }],
  attacks: [{ name: "member", setting: "ε = 2", figure: "true positives at 1 % false positives", value: 0.012 }],
});

const CROWD = sampleReport({
  chart: "crowd",
  cells: [20, 100, 2000].flatMap((population, i) => [
    noiseless([0.8 + i / 20], { population, ...DISTRIBUTED }),
    guaranteed(2, [0.1 + i / 3], { population, ...DISTRIBUTED }),
  ]),
  crowd: { lines: [{ noised: [1, 3, 5], withoutNoise: [0, 2, 4] }] },
});

/** Everything varies at once, and names are as long as they get. */
const WIDE = sampleReport({
  cells: ["iid", 0.1, 1].flatMap((heterogeneity) =>
    [0, 0.1].flatMap((dropout) => [
      noiseless([0.9], { heterogeneity, dropout, ...DISTRIBUTED }),
      guaranteed(8, [0.85], { heterogeneity, dropout, ...DISTRIBUTED }),
      guaranteed(2, [0.8], { heterogeneity, dropout, ...DISTRIBUTED }),
    ]),
  ),
  task: {
    ...FRONTIER.task,
    classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  },
});

const EMPTY_CROWD = sampleReport({ chart: "crowd", cells: [noiseless([0.9])], crowd: { lines: [] }, baselines: {} });
const NOISELESS = sampleReport({ cells: [noiseless([0.9])], baselines: {}, stamps: [] });
const ALL_LOST = sampleReport({ cells: [guaranteed(1, [], { seeds: [divergedSeed({ byRound: [] })] })] });

const REPORTS: readonly (readonly [string, PrivacyReportData])[] = [
  ["a frontier", FRONTIER],
  ["a crowd", CROWD],
  ["many settings", WIDE],
  ["an empty crowd", EMPTY_CROWD],
  ["no guarantee", NOISELESS],
  ["nothing but loss", ALL_LOST],
];

const figuresOf = (html: string): string[] => html.match(/<figure>.*?<\/figure>/gs) ?? [];
const svgsOf = (html: string): string[] => html.match(/<svg.*?<\/svg>/gs) ?? [];
const cellsOf = (table: string): string[] => [...table.matchAll(/<t[hd][^>]*>([^<]*)</g)].map(([, text]) => text);

/** What is drawn at a height, by the two lowest lines of the grid, which are named. */
function scaleOf(svg: string): (y: number) => number {
  const ticks = [...svg.matchAll(/<text x="68" y="([\d.]+)" text-anchor="end">([\d.]+)( %)?</g)].map(
    ([, y, value, share]) => ({ y: Number(y) - 4, value: Number(value) / (share === undefined ? 1 : 100) }),
  );
  const [a, b] = [ticks[0], ticks[ticks.length - 1]];
  return (y) => a.value + ((y - a.y) * (b.value - a.value)) / (b.y - a.y);
}

/** Every value that a chart draws: of its lines and references, or of its bars. */
function drawnValues(svg: string): number[] {
  const at = scaleOf(svg);
  const lines = [...svg.matchAll(/<path d="(M[\d.]+,[^"]*)" fill="none"/g)].flatMap(([, path]) =>
    [...path.matchAll(/,([\d.]+)/g)].map(([, y]) => at(Number(y))),
  );
  const references = [...svg.matchAll(/<line [^>]*y1="([\d.]+)"[^>]*stroke="var\(--faint\)"/g)].map(([, y]) =>
    at(Number(y)),
  );
  const bars = [
    ...svg.matchAll(/<rect [^>]*y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="(?:var|none)[^>]*stroke="/g),
  ]
    .filter(([, , width, height]) => !(width === "14" && height === "12"))
    .map(([, y]) => at(Number(y)));
  return [...lines, ...references, ...bars];
}

describe.each(REPORTS)("the report of %s", (_name, data) => {
  const html = renderPrivacyReportHtml(data);

  it("is the same whenever it is made, also of data that were written and read again", () => {
    expect(renderPrivacyReportHtml(data)).toBe(html);
    expect(renderPrivacyReportHtml(JSON.parse(JSON.stringify(data)))).toBe(html);
    expect(renderPrivacyReportMarkdown(JSON.parse(JSON.stringify(data)))).toBe(renderPrivacyReportMarkdown(data));
  });

  it("asks nobody for anything: no address, no script, no style or picture from elsewhere", () => {
    expect(html).not.toMatch(
      /\b(?:href|src|srcset|action|data|poster|xlink:href|ping)\s*=\s*["']?(?!data:image\/png;base64,)/i,
    );
    expect(html).not.toMatch(/url\(|@import|<script|<link|<iframe|<object|https?:|\/\/\w/i);
  });

  it("has nothing in it that is no number or no text", () => {
    for (const text of [html, renderPrivacyReportMarkdown(data), cellsCsv(data), roundsCsv(data)]) {
      expect(text).not.toMatch(/\bNaN\b|Infinity|undefined|null|\[object/);
    }
  });

  it("has charts in which no text covers another or is cut off", () => {
    for (const svg of svgsOf(html)) {
      expect(overlaps(textBoxes(svg))).toEqual([]);
      expect(clipped(svg)).toEqual([]);
    }
  });

  it("has every number that is drawn in the table behind its chart", () => {
    const figures = figuresOf(html);
    expect(figures.length).toBe(svgsOf(html).length);
    for (const figure of figures) {
      const [svg] = svgsOf(figure);
      const figuresInTable = cellsOf(figure.slice(figure.indexOf("<table"))).flatMap((text) =>
        [...text.matchAll(/([\d.]+)(\u00a0%)?/g)].map(
          ([, number, share]) => Number(number) / (share === undefined ? 1 : 100),
        ),
      );
      const values = drawnValues(svg);
      expect(values.length).toBeGreaterThan(0);
      for (const value of values) {
        const nearest = Math.min(...figuresInTable.map((figure) => Math.abs(figure - value) / Math.max(1, value)));
        expect(nearest, `${value} in ${figure.slice(0, 80)}`).toBeLessThan(0.0051 * 0.11);
      }
    }
  });

  it("names what is drawn for who cannot see it", () => {
    for (const svg of svgsOf(html))
      expect(svg).toMatch(/role="img" aria-label="[^"]+"><title>[^<]+<\/title><desc>[^<]+</);
  });
});

describe("the report of a benchmark", () => {
  const html = renderPrivacyReportHtml(FRONTIER);

  it("has as many points on a line as there are cells of it", () => {
    const [frontier] = svgsOf(html);
    const points = [...frontier.matchAll(/<path d="(M[\d.]+,[^"]*)" fill="none"/g)].map(
      ([, path]) => path.split("L").length,
    );
    expect(points).toEqual([3, 3, 1]);
    const [wide] = svgsOf(renderPrivacyReportHtml(WIDE));
    const lines = [...wide.matchAll(/<path d="(M[\d.]+,[^"]*)" fill="none"/g)].map(
      ([, path]) => path.split("L").length,
    );
    expect(lines).toEqual([3, 3, 3, 3, 3, 3]);
  });

  it("draws the mean of a cell with its interval, as its table says, and every seed beside it", () => {
    const [svg] = svgsOf(renderPrivacyReportHtml(sampleReport({ cells: [noiseless([0.4, 0.5, 0.9])], baselines: {} })));
    const at = scaleOf(svg);
    // Mean 0.6, standard deviation 0.2646: ± 4.3027 · 0.2646 / √3 = 0.6572, of which the axis has what lies within 0 and 1.
    expect(drawnValues(svg)).toEqual([expect.closeTo(0.6, 3)]);
    const [, low, high] = /<path d="M[\d.]+ ([\d.]+)V([\d.]+)"/.exec(svg) ?? [];
    expect([at(Number(low)), at(Number(high))]).toEqual([expect.closeTo(0, 6), expect.closeTo(1, 6)]);
    const seeds = [...svg.matchAll(/cy="([\d.]+)" r="1.8"/g)].map(([, y]) => at(Number(y)));
    expect(seeds).toEqual([0.4, 0.5, 0.9].map((accuracy) => expect.closeTo(accuracy, 6)));
    const narrow = sampleReport({ cells: [noiseless([0.5, 0.51, 0.52])], baselines: {} });
    const [drawn] = svgsOf(renderPrivacyReportHtml(narrow));
    const ends = /<path d="M[\d.]+ ([\d.]+)V([\d.]+)"/
      .exec(drawn)
      ?.slice(1)
      .map((y) => scaleOf(drawn)(Number(y)));
    // ± 4.3027 · 0.01 / √3
    expect(ends).toEqual([expect.closeTo(0.51 - 0.02484, 4), expect.closeTo(0.51 + 0.02484, 4)]);
    expect(cellsOf(renderPrivacyReportHtml(narrow))).toContain("48.5\u00a0% to 53.5\u00a0%");
  });

  it("draws a crowd's line without noise once, however many guarantees there are", () => {
    const cells = [20, 2000].flatMap((population) => [
      noiseless([0.9], { population }),
      guaranteed(8, [0.8], { population }),
      guaranteed(2, [0.7], { population }),
    ]);
    const lines = [
      { noised: [1, 4], withoutNoise: [0, 3] },
      { noised: [2, 5], withoutNoise: [0, 3] },
    ];
    const [svg] = svgsOf(
      renderPrivacyReportHtml(sampleReport({ chart: "crowd", cells, crowd: { lines }, baselines: {} })),
    );
    const names = textBoxes(svg).map(({ text }) => text);
    expect(names.filter((name) => name.startsWith("central"))).toEqual([
      "central, ε = 8",
      "central, no noise",
      "central, ε = 2",
    ]);
    expect(names).toContain("2,000");
  });

  it("gives every cell a name of its own", () => {
    const cost = renderPrivacyReportMarkdown(WIDE).split("## What it costs")[1].split("##")[0];
    const names = cost
      .split("\n")
      .filter((line) => line.startsWith("| dist"))
      .map((line) => line.split("|")[1]);
    expect(names).toHaveLength(18);
    expect(new Set(names).size).toBe(18);
    expect(names).toContain(" distributed, ε = 2, α = 0.1, 10 % lost ");
  });

  it("prints every ε with all that gives it a meaning, and never without", () => {
    const statements = html.match(/ε of the mechanism \(simulation\): ε = 2 at δ = 0.00001, per device/g) ?? [];
    expect(statements.length).toBeGreaterThan(0);
    expect(html).toContain("ε = 3.81 at δ");
  });

  it("has open in print what is folded on the screen", () => {
    const print = html.match(/@media print \{ body[\s\S]*?<\/style>/)?.[0] ?? "";
    expect(print).toContain("details::details-content { content-visibility: visible");
    expect(print).toMatch(/details > \*:not\(summary\) \{ display: block; \}/);
  });

  it("writes what others called things as text, and never as HTML", () => {
    const evil = '<img src="x" onerror="alert(1)">';
    const task = { ...FRONTIER.task, dataset: evil, model: evil, classes: [evil, ...FRONTIER.task.classes.slice(1)] };
    const page = renderPrivacyReportHtml({ ...FRONTIER, title: evil, command: evil, stamps: [evil], task });
    expect(page).not.toContain("<img");
    expect(page).toContain("&lt;img");
    expect(renderPrivacyReportMarkdown({ ...FRONTIER, title: "a <b>\n# c" })).toMatch(/^# a \\<b\\> # c\n/);
  });

  it("says which class loses most, and that none does where none does", () => {
    const without = noiseless([], { seeds: [seedResult(0.9, { byClass: new Array(10).fill(0.9) })] });
    const byClass = (worst: number) =>
      guaranteed(2, [], { seeds: [seedResult(0.9, { byClass: [0.9, 0.9, worst, ...new Array(7).fill(0.9)] })] });
    const caption = (cells: ReportCell[]) =>
      renderPrivacyReportHtml(sampleReport({ cells })).match(/By class[^<]*/)?.[0];
    expect(caption([without, byClass(0.6)])).toContain("The class that loses most is 2: 30.0 points from");
    expect(caption([without, byClass(0.95)])).toContain("No class loses from");
    expect(caption([without])).toBe("By class, mean over seeds.");
  });

  it("says that noise of each device alone leaves chance only where it does, and is known", () => {
    const local = (accuracy: number): ReportCell[] => [guaranteed(8, [accuracy], { mechanism: "local" })];
    expect(renderPrivacyReportHtml(sampleReport({ cells: local(0.1) }))).toContain("near chance");
    expect(renderPrivacyReportHtml(sampleReport({ cells: local(0.9) }))).not.toContain("near chance");
    expect(renderPrivacyReportHtml(sampleReport({ cells: local(0.1), baselines: {} }))).not.toMatch(
      /near chance|chance is|Dotted/,
    );
  });

  it("says of how many seeds an interval is, and of one that there is none", () => {
    expect(html).toContain("Mean of 3 seeds with its 95 % interval");
    expect(renderPrivacyReportHtml(NOISELESS)).toContain("One seed: there is no interval.");
    const unequal = sampleReport({ cells: [noiseless([0.9, 0.8]), guaranteed(2, [0.8, 0.9, 0.85])] });
    expect(renderPrivacyReportHtml(unequal)).toContain("Mean of 2 to 3 seeds");
  });
});

describe("the figures as files", () => {
  it("have a line for every seed of every cell, and all that makes a cell what it is", () => {
    const rows = parse(cellsCsv(WIDE), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(18);
    expect(rows[4]).toMatchObject({
      mechanism: "distributed-gaussian",
      epsilon_target: "8",
      epsilon: "8",
      epsilon_unamplified: "40",
      delta: "0.00001",
      population: "1000",
      bits: "16",
      dropout: "0.1",
      heterogeneity: "iid",
      seed: "1",
      accuracy: "0.85",
      diverged: "false",
    });
    expect(rows[0]).toMatchObject({ epsilon_target: "", epsilon: "", noise_multiplier: "" });
  });

  it("have a line for every evaluated round, which says of which cell it is", () => {
    const rows = parse(roundsCsv(WIDE), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(18 * 3);
    const { accuracy: _a, update_norm: _u, ...place } = rows[0];
    expect(new Set(rows.map(({ accuracy: _x, update_norm: _y, ...rest }) => JSON.stringify(rest))).size).toBe(18 * 3);
    expect(place).toMatchObject({ heterogeneity: "iid", dropout: "0", round: "10" });
  });
});
