import { scaleLinear, scaleLog, scalePoint } from "d3-scale";
import { line } from "d3-shape";
import { Mark } from "./mark.tsx";
import { seriesStyle } from "./series-style.ts";
import { spreadLabels } from "./spread-labels.ts";

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
const HEIGHT = 400;
const MARGIN = { top: 14, right: 190, bottom: 52, left: 76 };
const LABEL_GAP = 16;

/** Lines with their intervals, named at their ends, over categories or numbers. */
export function LineChart(props: LineChartProps) {
  const { title, description, xLabel, yLabel, series, references = [], yText } = props;
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const x = horizontal(props, MARGIN.left, right);
  const [least, most] = props.yDomain ?? extent(series, references);
  const y = scaleLinear().domain([least, most]).nice().range([bottom, MARGIN.top]);
  const path = line<ChartPoint>()
    .x((point) => x.at(point.x))
    .y((point) => y(point.y));
  const ends = [
    ...series.map(({ name, points }) => ({ name, y: y(points.at(-1)?.y ?? 0) })),
    ...references.map((reference) => ({ name: reference.name, y: y(reference.y) })),
  ];
  const heights = spreadLabels(ends, LABEL_GAP, MARGIN.top + 4, bottom);
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}. ${description}`}>
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
      {x.ticks.map(({ at, text }) => (
        <text key={text} x={at} y={bottom + 20} text-anchor="middle">
          {text}
        </text>
      ))}
      <text class="faint" x={(MARGIN.left + right) / 2} y={HEIGHT - 10} text-anchor="middle">
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
      {series.map(({ name, points, style: place, isReference = false }, i) => {
        const style = seriesStyle(place ?? i);
        return (
          <g key={name}>
            <path
              d={path([...points]) ?? ""}
              fill="none"
              stroke={style.colour}
              stroke-width={isReference ? 1.25 : 2}
              stroke-dasharray={isReference ? "2 3" : style.dash}
            />
            {points.map((point) => (
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
                {isReference ? null : <Mark x={x.at(point.x)} y={y(point.y)} style={style} />}
              </g>
            ))}
          </g>
        );
      })}
      {ends.map(({ name, y: wanted }, i) => (
        <g key={name}>
          <line class="rule" x1={right + 4} x2={right + 14} y1={wanted} y2={heights[i]} />
          {i < series.length && series[i].isReference !== true ? (
            <Mark x={right + 21} y={heights[i]} style={seriesStyle(series[i].style ?? i)} />
          ) : null}
          <text x={right + 30} y={heights[i] + 4}>
            {name}
          </text>
        </g>
      ))}
    </svg>
  );
}

interface Horizontal {
  at(value: string | number): number;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
}

function horizontal(
  { categories, logarithmic = false, series, xText }: LineChartProps,
  left: number,
  right: number,
): Horizontal {
  if (categories !== undefined) {
    const scale = scalePoint<string>().domain(categories).range([left, right]).padding(0.35);
    const at = (value: string | number): number => scale(String(value)) ?? left;
    return { at, ticks: categories.map((text) => ({ at: at(text), text })) };
  }
  const values = series.flatMap(({ points }) => points.map(({ x }) => Number(x)));
  const domain = [Math.min(...values), Math.max(...values)];
  const inner = [left + 14, right - 14];
  if (logarithmic) {
    const scale = scaleLog().domain(domain).range(inner);
    const places = [...new Set(values)].sort((a, b) => a - b);
    const ticks = places.map((value) => ({ at: scale(value), text: xText?.(value) ?? String(value) }));
    return { at: (value) => scale(Number(value)), ticks };
  }
  const scale = scaleLinear().domain(domain).range(inner);
  const ticks = scale.ticks(8).map((value) => ({ at: scale(value), text: xText?.(value) ?? String(value) }));
  return { at: (value) => scale(Number(value)), ticks };
}

function extent(series: readonly ChartSeries[], references: readonly ReferenceLine[]): [number, number] {
  const values = [
    ...series.flatMap(({ points }) => points.flatMap(({ y, low = y, high = y }) => [low, y, high])),
    ...references.map(({ y }) => y),
  ].filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? [least - 0.5, most + 0.5] : [least, most];
}

function clamp(value: number, [low, high]: readonly number[]): number {
  return Math.max(low, Math.min(high, value));
}
