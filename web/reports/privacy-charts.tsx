import { meanInterval } from "../../shared/statistics/mean-interval.ts";
import { BarChart } from "../charts/bar-chart.tsx";
import { ChartFigure } from "../charts/chart-figure.tsx";
import { type ChartSeries, LineChart, type ReferenceLine } from "../charts/line-chart.tsx";
import { MECHANISM_NAMES } from "./mechanism-names.ts";
import type { PrivacyReportData, PrivateCell, ReportCell, ReportMechanism } from "./privacy-report-data.ts";
import { cellAccuracy, percent } from "./privacy-sentence.ts";

const NO_NOISE = "no noise";

/** What a guarantee costs: accuracy against ε, one line for each mechanism. */
export function FrontierChart({ data }: { readonly data: PrivacyReportData }) {
  const targets = [...new Set(privateCells(data).map(({ epsilonTarget }) => epsilonTarget ?? 0))].sort((a, b) => b - a);
  const categories = [NO_NOISE, ...targets.map((target) => `ε = ${target}`)];
  const place = (cell: ReportCell): string => (cell.kind === "private" ? `ε = ${cell.epsilonTarget}` : NO_NOISE);
  const mechanisms = [...new Set(data.cells.map(({ mechanism }) => mechanism))];
  const series = mechanisms.map((mechanism) => ({
    name: MECHANISM_NAMES[mechanism],
    points: data.cells
      .filter((cell) => cell.mechanism === mechanism)
      .map((cell) => accuracyPoint(place(cell), cell))
      .sort((a, b) => categories.indexOf(a.x) - categories.indexOf(b.x)),
  }));
  const title = "Accuracy against the strength of the guarantee";
  return (
    <ChartFigure
      title={title}
      caption={`Further right is a stronger guarantee. ${seedsText(data)} Dotted: what the same data gives without a federation.`}
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
  const lines = data.crowd?.lines ?? [];
  const series = lines.flatMap(({ noised, withoutNoise }, i): ChartSeries[] => {
    const [first] = noised.map((index) => data.cells[index]);
    const target = first?.kind === "private" ? first.epsilonTarget : null;
    const points = (indices: readonly number[]) =>
      indices.map((index) => accuracyPoint(data.cells[index].population, data.cells[index]));
    return [
      { name: `${MECHANISM_NAMES[first.mechanism]}, ε = ${target}`, points: points(noised), style: i },
      { name: "the same, no noise", points: points(withoutNoise), style: i, isReference: true },
    ];
  });
  const title = "Privacy needs a crowd";
  return (
    <ChartFigure
      title={title}
      caption={`Every device has as many examples, and is in a round as often; only how many there are differs. ${seedsText(data)}`}
      table={accuracyTable(data)}
    >
      <LineChart
        title={title}
        description={describe(series)}
        xLabel="devices (logarithmic)"
        yLabel="test accuracy"
        logarithmic
        series={series}
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
  const names = compared.map(cellName);
  const groups = classes.map((name, label) => ({
    name,
    values: compared.map(({ seeds }) => meanInterval(seeds.map(({ byClass }) => byClass[label])).mean),
  }));
  const last = compared.length - 1;
  const losses = groups.map(({ values }) => values[0] - values[last]);
  const worst = losses.indexOf(Math.max(...losses));
  const title = "Who loses accuracy";
  return (
    <ChartFigure
      title={title}
      caption={`By class, mean over seeds. The class that loses most is ${classes[worst]}: ${(100 * losses[worst]).toFixed(1)} points from “${names[0]}” to “${names[last]}”.`}
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

/** Accuracy and the length of the model's step, round by round. */
export function RoundCharts({ data }: { readonly data: PrivacyReportData }) {
  const compared = headlineCells(data, 5);
  const by = (figure: "accuracy" | "updateNorm"): ChartSeries[] =>
    compared.map((cell) => ({
      name: cellName(cell),
      points: cell.seeds[0].byRound.map((point) => ({ x: point.round, y: point[figure] })),
    }));
  const rounds = compared[0]?.seeds[0].byRound.map(({ round }) => round) ?? [];
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
          yText={(value) => value.toPrecision(2)}
        />
      </ChartFigure>
    </>
  );
}

export function privateCells({ cells }: PrivacyReportData): PrivateCell[] {
  return cells.filter((cell): cell is PrivateCell => cell.kind === "private");
}

export function cellName(cell: ReportCell): string {
  const guarantee = cell.kind === "private" ? `ε = ${cell.epsilonTarget}` : NO_NOISE;
  return `${MECHANISM_NAMES[cell.mechanism]}, ${guarantee}`;
}

/** Of the headline's population: without noise, and the first mechanism's guarantees from weak to strong. */
function headlineCells({ cells }: PrivacyReportData, most = 3): ReportCell[] {
  const [first] = cells;
  const population = Math.max(...cells.map((cell) => cell.population));
  const isHeadline = (cell: ReportCell): boolean =>
    cell.mechanism === first.mechanism && cell.population === population;
  const without = cells.filter((cell) => isHeadline(cell) && cell.kind === "noiseless").slice(0, 1);
  const noised = cells.filter((cell) => isHeadline(cell) && cell.kind === "private");
  const room = most - without.length;
  const kept = noised.length <= room ? noised : [...noised.slice(0, room - 1), ...noised.slice(-1)];
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
    { name: "chance", y: chance },
  ];
}

function accuracyTable({ cells }: PrivacyReportData) {
  return {
    heads: ["who makes the noise", "guarantee", "devices", "median", "mean", "95 % interval", "each seed"],
    rows: cells.map((cell) => {
      const accuracies = cell.seeds.map(({ accuracy }) => accuracy);
      const { mean, low, high } = meanInterval(accuracies);
      return [
        MECHANISM_NAMES[cell.mechanism],
        cell.kind === "private" ? `ε = ${cell.epsilonTarget}` : NO_NOISE,
        cell.population.toLocaleString("en"),
        percent(cellAccuracy(cell)),
        percent(mean),
        low === undefined || high === undefined ? "one seed" : `${percent(low)} to ${percent(high)}`,
        cell.seeds.map(({ accuracy, diverged }) => `${percent(accuracy)}${diverged ? " (diverged)" : ""}`).join(", "),
      ];
    }),
  };
}

function seedsText({ cells }: PrivacyReportData): string {
  const seeds = Math.min(...cells.map((cell) => cell.seeds.length));
  return seeds < 2
    ? "One seed: there is no interval."
    : `Mean of ${seeds} seeds with its 95 % interval (Student's t); small dots are seeds.`;
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
