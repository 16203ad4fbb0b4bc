import { scaleLinear, scaleLog, scalePoint } from "d3-scale";
import { line } from "d3-shape";
import { type AxisLabel, layOutNames, type NameLayout, withoutOverlap } from "./axis-labels.ts";
import { AxisNames } from "./axis-names.tsx";
import { Mark } from "./mark.tsx";
import { seriesStyle } from "./series-style.ts";
import { spreadLabels } from "./spread-labels.ts";
import { CHART_TEXT, textWidth } from "./text-width.ts";

export interface ChartPoint {
  /** A category's name, or a number. */
  readonly x: string | number;
  readonly y: number;
  /** Of a confidence interval; absent: there is none. */
  readonly low?: number;
  readonly high?: number;
  /** Single measurements that `y` is the middle of. */
  readonly singles?: readonly number[];
}

export interface ChartSeries {
  readonly name: string;
  readonly points: readonly ChartPoint[];
  /** Its place among the styles; absent: its place among the series. */
  readonly style?: number;
  /** Drawn thin and without marks, as what others are compared with. */
  readonly isReference?: boolean;
}

export interface ReferenceLine {
  readonly name: string;
  readonly y: number;
}

export interface LineChartProps {
  readonly title: string;
  /** What it shows, for who cannot see it. */
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Names in order: categories side by side, at even distances, which are no numbers' distances. */
  readonly categories?: readonly string[];
  readonly logarithmic?: boolean;
  readonly series: readonly ChartSeries[];
  readonly references?: readonly ReferenceLine[];
  readonly yDomain?: readonly [number, number];
  yText(value: number): string;
  xText?(value: number): string;
}

const WIDTH = 760;
const LEAST_HEIGHT = 400;
const MARGIN = { top: 14, bottom: 39, left: 76 };
const LABEL_GAP = 16;
/** A line of more points than this has a few marks, and not one at each. */
const MOST_MARKED = 30;
const FEW_MARKS = 8;
/** From the end of the axis to the text of a label. */
const LEADER = 30;

/** Lines with their intervals, named at their ends, over categories or numbers. What is not finite is left out. */
export function LineChart(props: LineChartProps) {
  const { title, description, xLabel, yLabel, references = [], yText } = props;
  const series = props.series.map(drawable).filter(({ points }) => points.length > 0);
  const names = [...series, ...references].map(({ name }) => name);
  const right = WIDTH - LEADER - Math.max(80, ...names.map((name) => textWidth(name)));
  const x = horizontal({ ...props, series }, MARGIN.left, right);
  // A line of its own for every label.
  const height = Math.max(LEAST_HEIGHT, MARGIN.top + LABEL_GAP * (names.length + 1) + x.names.height + MARGIN.bottom);
  const bottom = height - MARGIN.bottom - x.names.height;
  const [least, most] = props.yDomain ?? extent(series, references);
  const y = scaleLinear().domain([least, most]).nice().range([bottom, MARGIN.top]);
  const path = line<ChartPoint>()
    .x((point) => x.at(point.x))
    .y((point) => y(point.y));
  const ends = [
    ...series.map(({ name, points }) => ({ name, y: y(points[points.length - 1].y) })),
    ...references.map((reference) => ({ name: reference.name, y: y(reference.y) })),
  ];
  const heights = spreadLabels(ends, LABEL_GAP, MARGIN.top + 4, bottom);
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${title}. ${description}`}>
      <title>{title}</title>
      <desc>{description}</desc>
      {y.ticks(6).map((tick) => (
        <g key={tick}>
          <line class="rule" x1={MARGIN.left} x2={right} y1={y(tick)} y2={y(tick)} />
          <text x={MARGIN.left - 8} y={y(tick) + 4} text-anchor="end">
            {yText(tick)}
          </text>
        </g>
      ))}
      <line class="axis" x1={MARGIN.left} x2={right} y1={bottom} y2={bottom} />
      <AxisNames layout={x.names} y={bottom} />
      <text class="faint" x={(MARGIN.left + right) / 2} y={height - 10} text-anchor="middle">
        {xLabel}
      </text>
      <text class="faint" transform={`translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)`} text-anchor="middle">
        {yLabel}
      </text>
      {references.map((reference) => (
        <line
          key={reference.name}
          x1={MARGIN.left}
          x2={right}
          y1={y(reference.y)}
          y2={y(reference.y)}
          stroke="var(--faint)"
          stroke-dasharray="1 3"
          stroke-width={1.5}
        />
      ))}
      {series.map(({ name, points, style: place, isReference = false }) => {
        const style = seriesStyle(place);
        return (
          <g key={name}>
            <path
              d={path([...points]) ?? ""}
              fill="none"
              stroke={style.colour}
              stroke-width={isReference ? 1.25 : 2}
              stroke-dasharray={(isReference ? "2 3" : style.dash) || undefined}
            />
            {points.map((point, at) => (
              <g key={point.x}>
                {point.low === undefined || point.high === undefined ? null : (
                  <path
                    d={`M${x.at(point.x)} ${y(clamp(point.low, y.domain()))}V${y(clamp(point.high, y.domain()))}`}
                    stroke={style.colour}
                    stroke-width={1.5}
                  />
                )}
                {(point.singles ?? []).map((single) => (
                  <circle key={single} cx={x.at(point.x) + 7} cy={y(single)} r={1.8} fill="var(--faint)" />
                ))}
                {isReference || !isMarked(at, points.length) ? null : (
                  <Mark x={x.at(point.x)} y={y(point.y)} style={style} />
                )}
              </g>
            ))}
          </g>
        );
      })}
      {ends.map(({ name, y: wanted }, i) => (
        <g key={name}>
          <line class="rule" x1={right + 4} x2={right + 14} y1={wanted} y2={heights[i]} />
          {i < series.length && series[i].isReference !== true ? (
            <Mark x={right + 21} y={heights[i]} style={seriesStyle(series[i].style)} />
          ) : null}
          <text x={right + LEADER} y={heights[i] + 4}>
            {name}
          </text>
        </g>
      ))}
    </svg>
  );
}

/** A series in its own style, without the points that no axis has. */
function drawable({ points, style, ...series }: ChartSeries, place: number): ChartSeries & { readonly style: number } {
  return { ...series, style: style ?? place, points: points.filter(({ y }) => Number.isFinite(y)) };
}

function isMarked(at: number, points: number): boolean {
  return points <= MOST_MARKED || at % Math.ceil(points / FEW_MARKS) === 0;
}

interface Horizontal {
  at(value: string | number): number;
  readonly names: NameLayout;
}

function horizontal(
  { categories, logarithmic = false, series, xText = String }: LineChartProps,
  left: number,
  right: number,
): Horizontal {
  if (categories !== undefined) {
    const scale = scalePoint<string>().domain(categories).range([left, right]).padding(0.35);
    const at = (value: string | number): number => scale(String(value)) ?? left;
    return { at, names: layOutNames(categories.map((text) => ({ at: at(text), text }))) };
  }
  const values = series.flatMap(({ points }) => points.map(({ x }) => Number(x)));
  const domain = values.length === 0 ? [1, 1] : [Math.min(...values), Math.max(...values)];
  const scale = (logarithmic ? scaleLog() : scaleLinear()).domain(domain).range([left + 14, right - 14]);
  // On a logarithmic axis what was measured is named, and of whole numbers there are no halves.
  const places = logarithmic
    ? [...new Set(values)].sort((a, b) => a - b)
    : scale.ticks(8).filter((tick) => Number.isInteger(tick) || !values.every(Number.isInteger));
  return {
    at: (value) => scale(Number(value)),
    names: numbers(places.map((value) => ({ at: scale(value), text: xText(value) }))),
  };
}

function numbers(labels: readonly AxisLabel[]): NameLayout {
  return { turned: false, labels: withoutOverlap(labels), height: CHART_TEXT };
}

function extent(series: readonly ChartSeries[], references: readonly ReferenceLine[]): [number, number] {
  const values = [
    ...series.flatMap(({ points }) => points.flatMap(({ y, low = y, high = y }) => [low, y, high])),
    ...references.map(({ y }) => y),
  ].filter(Number.isFinite);
  if (values.length === 0) return [0, 1];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? [least - 0.5, most + 0.5] : [least, most];
}

function clamp(value: number, [low, high]: readonly number[]): number {
  return Math.max(low, Math.min(high, value));
}
