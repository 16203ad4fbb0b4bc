import { meanInterval } from "../../shared/statistics/mean-interval.ts";
import { BarChart, type BarGroup } from "../charts/bar-chart.tsx";
import { ChartFigure, type FigureTable } from "../charts/chart-figure.tsx";
import { type ChartSeries, LineChart, type ReferenceLine } from "../charts/line-chart.tsx";
import {
  cellName,
  furtherSettings,
  guaranteeText,
  isSameFleet,
  NO_NOISE,
  targetOf,
  withoutNoise,
} from "./cell-name.ts";
import { MECHANISM_NAMES } from "./mechanism-names.ts";
import type { PrivacyReportData, PrivateCell, ReportCell, ReportMechanism } from "./privacy-report-data.ts";
import { cellAccuracy, percent } from "./privacy-sentence.ts";

/** What a guarantee costs: accuracy against ε, one line for each mechanism, and for each setting of what else varies. */
export function FrontierChart({ data }: { readonly data: PrivacyReportData }) {
  const { cells } = data;
  const byStrength = [...privateCells(data)].sort((a, b) => targetOf(b) - targetOf(a));
  const categories = [NO_NOISE, ...new Set(byStrength.map(guaranteeText))];
  const lines = new Map<string, ReportCell[]>();
  for (const cell of cells) {
    const name = lineName(cell, cells);
    lines.set(name, [...(lines.get(name) ?? []), cell]);
  }
  const series = [...lines].map(([name, members]) => ({
    name,
    points: members
      .map((cell) => accuracyPoint(guaranteeText(cell), cell))
      .sort((a, b) => categories.indexOf(a.x) - categories.indexOf(b.x)),
  }));
  const title = "Accuracy against the strength of the guarantee";
  return (
    <ChartFigure
      title={title}
      caption={`Further right is a stronger guarantee. ${seedsText(data)}${references(data).length === 0 ? "" : " Dotted: what there is without a federation."}`}
      table={accuracyTable(data)}
    >
      <LineChart
        title={title}
        description={describe(series)}
        xLabel="guarantee, stronger to the right"
        yLabel="test accuracy"
        categories={categories}
        series={series}
        references={references(data)}
        yDomain={[0, 1]}
        yText={(value) => `${Math.round(100 * value)} %`}
      />
    </ChartFigure>
  );
}

/** Privacy needs a crowd: accuracy against the number of devices, each line beside its own without noise. */
export function CrowdChart({ data }: { readonly data: PrivacyReportData }) {
  const lines = (data.crowd?.lines ?? []).filter(({ noised }) => noised.length > 0);
  if (lines.length === 0) return null;
  const points = (indices: readonly number[]) =>
    indices.map((index) => accuracyPoint(data.cells[index].population, data.cells[index]));
  const nameOf = ([index]: readonly number[]): string => cellName(data.cells[index], data.cells);
  const series = new Map<string, ChartSeries>();
  for (const [style, { noised, withoutNoise }] of lines.entries()) {
    series.set(nameOf(noised), { name: nameOf(noised), points: points(noised), style });
    // Guarantees of the same mechanism have one line without noise between them.
    if (withoutNoise.length === 0 || series.has(nameOf(withoutNoise))) continue;
    series.set(nameOf(withoutNoise), {
      name: nameOf(withoutNoise),
      points: points(withoutNoise),
      style,
      isReference: true,
    });
  }
  const title = "Accuracy against the number of devices";
  return (
    <ChartFigure
      title={title}
      caption={`Every device has as many examples, and is in a round as often; only how many there are differs. ${seedsText(data)}`}
      table={accuracyTable(data)}
    >
      <LineChart
        title={title}
        description={describe([...series.values()])}
        xLabel="devices (logarithmic)"
        yLabel="test accuracy"
        logarithmic
        series={[...series.values()]}
        references={references(data)}
        yDomain={[0, 1]}
        yText={(value) => `${Math.round(100 * value)} %`}
        xText={(value) => value.toLocaleString("en")}
      />
    </ChartFigure>
  );
}

/** Who pays: accuracy by class. */
export function ClassChart({ data }: { readonly data: PrivacyReportData }) {
  const compared = headlineCells(data).filter(({ seeds }) => seeds.every(({ byClass }) => byClass.length > 0));
  const { classes } = data.task;
  if (compared.length === 0 || classes.length === 0) return null;
  const names = compared.map((cell) => cellName(cell, data.cells));
  const groups = classes.map((name, label) => ({
    name,
    values: compared.map(({ seeds }) => meanInterval(seeds.map(({ byClass }) => byClass[label])).mean),
  }));
  const title = "Who loses accuracy";
  return (
    <ChartFigure
      title={title}
      caption={`By class, mean over seeds.${worstClass(groups, names)}`}
      table={{ heads: ["class", ...names], rows: groups.map(({ name, values }) => [name, ...values.map(percent)]) }}
    >
      <BarChart
        title={title}
        description={`Accuracy by class for ${names.join(", ")}.`}
        xLabel="class"
        yLabel="test accuracy"
        series={names}
        groups={groups}
        yDomain={[0, 1]}
        yText={(value) => `${Math.round(100 * value)} %`}
      />
    </ChartFigure>
  );
}

/** Who pays most for going from the first bar of a group to the last. */
function worstClass(groups: readonly BarGroup[], names: readonly string[]): string {
  const last = names.length - 1;
  if (last === 0) return "";
  const losses = groups.map(({ values }) => values[0] - values[last]);
  const most = Math.max(...losses);
  const between = `from “${names[0]}” to “${names[last]}”`;
  if (most < 0.0005) return ` No class loses ${between}.`;
  return ` The class that loses most is ${groups[losses.indexOf(most)].name}: ${(100 * most).toFixed(1)} points ${between}.`;
}

/** Accuracy and the length of the model's step, round by round. */
export function RoundCharts({ data }: { readonly data: PrivacyReportData }) {
  const compared = headlineCells(data, 5).filter(({ seeds }) => seeds[0].byRound.length > 0);
  if (compared.length === 0) return null;
  const by = (figure: "accuracy" | "updateNorm"): ChartSeries[] =>
    compared.map((cell) => ({
      name: cellName(cell, data.cells),
      points: cell.seeds[0].byRound.map((point) => ({ x: point.round, y: point[figure] })),
    }));
  // A run that diverged has fewer than the others.
  const rounds = [...new Set(compared.flatMap(({ seeds }) => seeds[0].byRound.map(({ round }) => round)))].sort(
    (a, b) => a - b,
  );
  const table = (series: readonly ChartSeries[], text: (value: number) => string) => ({
    heads: ["round", ...series.map(({ name }) => name)],
    rows: rounds.map((round) => [
      String(round),
      ...series.map(({ points }) => {
        const point = points.find(({ x }) => x === round);
        return point === undefined ? "–" : text(point.y);
      }),
    ]),
  });
  const accuracy = by("accuracy");
  const norms = by("updateNorm");
  return (
    <>
      <ChartFigure title="Round by round" caption="First seed of each." table={table(accuracy, percent)}>
        <LineChart
          title="Accuracy by round"
          description={describe(accuracy)}
          xLabel="round"
          yLabel="test accuracy"
          series={accuracy}
          yDomain={[0, 1]}
          yText={(value) => `${Math.round(100 * value)} %`}
        />
      </ChartFigure>
      <ChartFigure
        title="Why it fails where it fails"
        caption="How far each round moves the model, noise included. Where noise is much longer than what devices have learnt, steps lead anywhere, and updates grow to undo them."
        table={table(norms, (value) => value.toPrecision(3))}
      >
        <LineChart
          title="Length of the model's step by round"
          description={describe(norms)}
          xLabel="round"
          yLabel="Euclidean norm of the step"
          series={norms}
          yDomain={[0, greatest(norms)]}
          yText={(value) => String(Number(value.toPrecision(3)))}
        />
      </ChartFigure>
    </>
  );
}

function greatest(series: readonly ChartSeries[]): number {
  const values = series.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
  return Math.max(...values) || 1;
}

export function privateCells({ cells }: PrivacyReportData): PrivateCell[] {
  return cells.filter((cell): cell is PrivateCell => cell.kind === "private");
}

function lineName(cell: ReportCell, cells: readonly ReportCell[]): string {
  const isOfOneSize = cells.every(({ population }) => population === cells[0].population);
  const size = isOfOneSize ? [] : [`${cell.population.toLocaleString("en")} devices`];
  return [MECHANISM_NAMES[cell.mechanism], ...size, ...furtherSettings(cell, cells)].join(", ");
}

/**
 * Of the headline's fleet, which is the first cell's, or of a crowd the largest: without noise, and the first mechanism's
 * guarantees from weak to strong.
 */
function headlineCells({ cells, chart }: PrivacyReportData, most = 3): ReportCell[] {
  const [first] = chart === "crowd" ? [...cells].sort((a, b) => b.population - a.population) : cells;
  const fleet = cells.filter((cell) => isSameFleet(cell, first));
  const withNoise = fleet.filter((cell): cell is PrivateCell => cell.kind === "private");
  const [noised] = withNoise;
  const mechanism = (noised ?? first).mechanism;
  const bits = (noised ?? first).bits;
  const compared = withNoise
    .filter((cell) => cell.mechanism === mechanism && cell.bits === bits)
    .sort((a, b) => targetOf(b) - targetOf(a));
  const reference = withoutNoise(noised ?? first, cells);
  const without = reference === undefined ? [] : [reference];
  const room = most - without.length;
  const kept = compared.length <= room ? compared : [...compared.slice(0, room - 1), ...compared.slice(-1)];
  return [...without, ...kept];
}

function accuracyPoint<X extends string | number>(x: X, { seeds }: ReportCell) {
  const accuracies = seeds.map(({ accuracy }) => accuracy);
  const { mean, ...interval } = meanInterval(accuracies);
  return { x, y: mean, ...interval, ...(accuracies.length > 1 ? { singles: accuracies } : {}) };
}

function references({ baselines }: PrivacyReportData): ReferenceLine[] {
  const { central, localOnly, chance } = baselines;
  return [
    ...(central === undefined ? [] : [{ name: "all data in one place", y: meanInterval(central.accuracies).mean }]),
    ...(localOnly === undefined ? [] : [{ name: "each device alone", y: meanInterval(localOnly.accuracies).mean }]),
    ...(chance === undefined ? [] : [{ name: "chance", y: chance }]),
  ];
}

function accuracyTable(data: PrivacyReportData): FigureTable {
  const { cells } = data;
  const isFurther = cells.some((cell) => furtherSettings(cell, cells).length > 0);
  return {
    heads: [
      "who makes the noise",
      "guarantee",
      "devices",
      ...(isFurther ? ["setting"] : []),
      "median",
      "mean",
      "95 % interval",
      "each seed",
    ],
    rows: [
      ...cells.map((cell) => {
        const accuracies = cell.seeds.map(({ accuracy }) => accuracy);
        const { mean, low, high } = meanInterval(accuracies);
        return [
          MECHANISM_NAMES[cell.mechanism],
          guaranteeText(cell),
          cell.population.toLocaleString("en"),
          ...(isFurther ? [furtherSettings(cell, cells).join(", ")] : []),
          percent(cellAccuracy(cell)),
          percent(mean),
          low === undefined || high === undefined ? "one seed" : `${percent(low)} to ${percent(high)}`,
          cell.seeds.map(({ accuracy, diverged }) => `${percent(accuracy)}${diverged ? " (diverged)" : ""}`).join(", "),
        ];
      }),
      ...references(data).map(({ name, y }) => [
        name,
        ...new Array<string>(isFurther ? 4 : 3).fill("–"),
        percent(y),
        "–",
        "–",
      ]),
    ],
  };
}

function seedsText({ cells }: PrivacyReportData): string {
  const counts = cells.map((cell) => cell.seeds.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (most < 2) return "One seed: there is no interval.";
  const seeds = least === most ? String(most) : `${least} to ${most}`;
  return `Mean of ${seeds} seeds with its 95 % interval (Student's t); small dots are seeds.`;
}

function describe(series: readonly ChartSeries[]): string {
  return series
    .map(({ name, points }) => {
      const [first, last] = [points[0], points.at(-1)];
      if (first === undefined || last === undefined) return `${name}: nothing`;
      return `${name}: from ${first.y.toPrecision(3)} at ${first.x} to ${last.y.toPrecision(3)} at ${last.x}`;
    })
    .join("; ");
}

export function trustedMechanisms({ cells }: PrivacyReportData): ReportMechanism[] {
  return [...new Set(cells.map(({ mechanism }) => mechanism))];
}
