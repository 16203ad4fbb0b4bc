import { scaleBand, scaleLinear } from "d3-scale";
import { layOutNames } from "./axis-labels.ts";
import { AxisNames } from "./axis-names.tsx";
import { seriesStyle } from "./series-style.ts";
import { textWidth } from "./text-width.ts";

export interface BarGroup {
  readonly name: string;
  /** One value for each series, in their order. */
  readonly values: readonly number[];
}

export interface BarChartProps {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly string[];
  readonly groups: readonly BarGroup[];
  readonly yDomain?: readonly [number, number];
  yText(value: number): string;
}

const WIDTH = 760;
/** Of the highest bar there can be. */
const BARS = 224;
const MARGIN = { right: 16, bottom: 39, left: 76 };
/** Of the legend. */
const LINE = 20;
const SWATCH = 20;

/** Bars side by side in groups; every series has its own hatching, so that it can be told in print. */
export function BarChart({ title, description, xLabel, yLabel, series, groups, yText, yDomain }: BarChartProps) {
  const right = WIDTH - MARGIN.right;
  const legend = layOutLegend(series, MARGIN.left, right);
  const top = 24 + LINE * legend.lines;
  const most = Math.max(...groups.flatMap(({ values }) => values), 0);
  const outer = scaleBand<string>()
    .domain(groups.map(({ name }) => name))
    .range([MARGIN.left, right])
    .padding(0.2);
  const middle = (name: string): number => (outer(name) ?? 0) + outer.bandwidth() / 2;
  const names = layOutNames(groups.map(({ name }) => ({ at: middle(name), text: name })));
  const bottom = top + BARS;
  const height = bottom + names.height + MARGIN.bottom;
  const y = scaleLinear()
    .domain(yDomain ?? [0, most || 1])
    .nice()
    .range([bottom, top]);
  const inner = scaleBand<number>()
    .domain(series.map((_, i) => i))
    .range([0, outer.bandwidth()])
    .padding(0.1);
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${title}. ${description}`}>
      <title>{title}</title>
      <desc>{description}</desc>
      {series.map((name, i) => (
        <g key={name}>
          <Bar x={legend.places[i].x} y={legend.places[i].y - 10} width={14} height={12} index={i} />
          <text x={legend.places[i].x + SWATCH} y={legend.places[i].y}>
            {name}
          </text>
        </g>
      ))}
      {y.ticks(5).map((tick) => (
        <g key={tick}>
          <line class="rule" x1={MARGIN.left} x2={right} y1={y(tick)} y2={y(tick)} />
          <text x={MARGIN.left - 8} y={y(tick) + 4} text-anchor="end">
            {yText(tick)}
          </text>
        </g>
      ))}
      {groups.map(({ name, values }) => (
        <g key={name}>
          {values.map((value, i) => (
            <Bar
              key={series[i]}
              x={(outer(name) ?? 0) + (inner(i) ?? 0)}
              y={y(value)}
              width={inner.bandwidth()}
              height={Math.max(0, bottom - y(value))}
              index={i}
            />
          ))}
        </g>
      ))}
      <AxisNames layout={names} y={bottom} />
      <line class="axis" x1={MARGIN.left} x2={right} y1={bottom} y2={bottom} />
      <text class="faint" x={(MARGIN.left + right) / 2} y={height - 10} text-anchor="middle">
        {xLabel}
      </text>
      <text class="faint" transform={`translate(14 ${(top + bottom) / 2}) rotate(-90)`} text-anchor="middle">
        {yLabel}
      </text>
    </svg>
  );
}

/** One name after the other, in as many lines as they need. */
function layOutLegend(names: readonly string[], left: number, right: number) {
  let [x, line] = [left, 0];
  const places = names.map((name) => {
    const width = SWATCH + textWidth(name);
    if (x > left && x + width > right) [x, line] = [left, line + 1];
    const place = { x, y: 22 + LINE * line };
    x += width + 24;
    return place;
  });
  return { places, lines: line + 1 };
}

interface BarProps {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly index: number;
}

/** Filled, hollow, or hollow with a heavy dashed edge: told apart without colour. */
function Bar({ x, y, width, height, index }: BarProps) {
  const { colour } = seriesStyle(index);
  const kind = index % 3;
  return (
    <rect
      x={x}
      y={y}
      width={width}
      height={height}
      fill={kind === 0 ? colour : "none"}
      stroke={colour}
      stroke-width={1.5}
      {...(kind === 2 ? { "stroke-dasharray": "3 2" } : {})}
    />
  );
}
