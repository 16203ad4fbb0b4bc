import { render } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import { BarChart } from "../../../web/charts/bar-chart.tsx";
import { type ChartSeries, LineChart, type LineChartProps } from "../../../web/charts/line-chart.tsx";
import { textWidth } from "../../../web/charts/text-width.ts";
import { advanceWidth, clipped, overlaps, textBoxes } from "./svg-texts.ts";

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"];
const CLOTHES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

function lineChart(series: readonly ChartSeries[], over: Partial<LineChartProps> = {}): string {
  return render(
    <LineChart
      title="Title"
      description="Description"
      xLabel="round"
      yLabel="test accuracy"
      series={series}
      yText={(value) => `${Math.round(100 * value)} %`}
      {...over}
    />,
  );
}

function barChart(classes: readonly string[], series: readonly string[]): string {
  return render(
    <BarChart
      title="Title"
      description="Description"
      xLabel="class"
      yLabel="test accuracy"
      series={series}
      groups={classes.map((name, i) => ({ name, values: series.map((_, j) => 1 - (i + j) / 200) }))}
      yDomain={[0, 1]}
      yText={(value) => `${Math.round(100 * value)} %`}
    />,
  );
}

describe("the estimated width of a text", () => {
  it.each([
    "all data in one place",
    "central, no noise",
    "distributed, α = 0.1, 10 % lost",
    "WWW mmm",
    "1,000",
    "iiiillll",
  ])("of %j is not below the real one in a wide font, nor far above it", (text) => {
    expect(textWidth(text)).toBeGreaterThanOrEqual(advanceWidth(text) * 0.99);
    expect(textWidth(text)).toBeLessThanOrEqual(advanceWidth(text) * 1.6);
  });
});

describe("no text of a chart covers another or is cut off", () => {
  const points = (y: number, xs: readonly (string | number)[]) => xs.map((x, i) => ({ x, y: y - i / 1000 }));
  const targets = ["no noise", ...[16, 8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125].map((e) => `ε = ${e}`)];
  const many = Array.from({ length: 27 }, (_, i) => ({
    name: `distributed, 2,000 devices, α = ${i}, 10 % lost, 16 bits`,
    points: points(0.9, [1, 2, 3]),
  }));

  it.each([
    [
      "equal lines",
      lineChart(["central", "distributed", "local"].map((name) => ({ name, points: points(0.9, [1, 50, 100]) }))),
    ],
    [
      "lines at the bottom",
      lineChart(
        [0, 0, 0, 0].map((y, i) => ({ name: `line ${i}`, points: points(y, [1, 2]) })),
        { yDomain: [0, 1] },
      ),
    ],
    ["many categories", lineChart([{ name: "central", points: points(0.9, targets) }], { categories: targets })],
    ["27 series with long names", lineChart(many)],
    [
      "a logarithmic axis with places side by side",
      lineChart([{ name: "a", points: points(0.9, [10, 11, 12, 100, 1000, 1100, 2000]) }], {
        logarithmic: true,
        xText: (value) => value.toLocaleString("en"),
      }),
    ],
    ["one point", lineChart([{ name: "a", points: [{ x: 3, y: 0.5 }] }])],
    [
      "references",
      lineChart([{ name: "a", points: points(0.97, [1, 2]) }], {
        references: ["all data in one place", "each device alone", "chance"].map((name) => ({ name, y: 0.97 })),
      }),
    ],
    [
      "large numbers",
      lineChart(
        [
          {
            name: "a",
            points: [
              { x: 1, y: 0 },
              { x: 2, y: 123456 },
            ],
          },
        ],
        { yText: String },
      ),
    ],
    ["ten digits", barChart([..."0123456789"], ["central, no noise", "central, ε = 8", "central, ε = 2"])],
    ["62 characters", barChart(LETTERS, ["central, no noise", "central, ε = 8"])],
    [
      "long classes",
      barChart(CLOTHES, [
        "distributed, no noise, α = 0.1, 10 % lost",
        "distributed, ε = 8, α = 0.1, 10 % lost",
        "distributed, ε = 0.5, α = 0.1, 10 % lost",
      ]),
    ],
  ])("%s", (_name, svg) => {
    expect(textBoxes(svg).length).toBeGreaterThan(4);
    expect(overlaps(textBoxes(svg))).toEqual([]);
    expect(clipped(svg)).toEqual([]);
  });

  it("and would be found out if one did", () => {
    const svg = `<svg viewBox="0 0 100 50"><text x="10" y="20">abc</text><text x="20" y="22">def</text><text x="90" y="40">out</text></svg>`;
    expect(overlaps(textBoxes(svg))).toEqual(['"abc" and "def"']);
    expect(clipped(svg)).toEqual(["out"]);
  });

  it("every class is named as long as names can be read", () => {
    const named = textBoxes(barChart(CLOTHES, ["a"])).map(({ text }) => text);
    for (const name of CLOTHES) expect(named).toContain(name);
  });
});

describe("a chart of what went wrong", () => {
  it("leaves out what is no number, and says the rest", () => {
    const svg = lineChart([
      { name: "lost", points: [{ x: 1, y: Number.NaN }] },
      {
        name: "half",
        points: [
          { x: 1, y: 0.5 },
          { x: 2, y: Number.NaN },
          { x: 3, y: Number.POSITIVE_INFINITY },
        ],
      },
      { name: "none", points: [] },
      {
        name: "whole",
        points: [
          { x: 1, y: 0.25 },
          { x: 3, y: 0.75 },
        ],
      },
    ]);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const names = textBoxes(svg).map(({ text }) => text);
    expect(names).toEqual(expect.arrayContaining(["half", "whole"]));
    for (const absent of ["lost", "none"]) expect(names).not.toContain(absent);
  });

  it("keeps a series' own style when one before it is left out", () => {
    const svg = lineChart([
      { name: "none", points: [] },
      {
        name: "whole",
        points: [
          { x: 1, y: 0.2 },
          { x: 2, y: 0.3 },
        ],
      },
    ]);
    expect(svg).toContain("var(--series-2)");
    expect(svg).not.toContain("var(--series-1)");
  });

  it("without anything to draw is an empty picture, and not a broken one", () => {
    for (const over of [{}, { logarithmic: true }, { categories: [] }]) {
      expect(lineChart([], over)).not.toMatch(/NaN|Infinity|undefined/);
    }
    expect(barChart([], [])).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe("axes", () => {
  it("name whole rounds only", () => {
    const ticks = textBoxes(
      lineChart([{ name: "a", points: [1, 2, 3].map((x) => ({ x, y: 0.5 })) }], { yText: () => "" }),
    )
      .map(({ text }) => text)
      .filter((text) => /^\d/.test(text));
    expect(ticks).toEqual(["1", "2", "3"]);
  });

  it("put categories at even distances, and points of the same category at the same place", () => {
    const svg = lineChart(
      [
        {
          name: "a",
          points: [
            { x: "x", y: 0.1 },
            { x: "z", y: 0.2 },
          ],
        },
        {
          name: "b",
          points: [
            { x: "y", y: 0.3 },
            { x: "z", y: 0.4 },
          ],
        },
      ],
      { categories: ["x", "y", "z"] },
    );
    const at = Object.fromEntries(textBoxes(svg).map(({ text, left, right }) => [text, (left + right) / 2]));
    expect(at.y - at.x).toBeCloseTo(at.z - at.y, 6);
    // Both lines end over "z".
    const ends = [...svg.matchAll(/ d="M[^"]*L([\d.]+),[\d.]+"/g)].map(([, x]) => Number(x));
    expect(ends).toEqual([expect.closeTo(at.z, 2), expect.closeTo(at.z, 2)]);
  });
});
