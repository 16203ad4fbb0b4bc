import { foldDevices, foldedDevicesText, foldLabels, type HeldByDevice, type HeldLabels } from "./held-labels.ts";
import { PAPER_COLOURS, rounded, svgDocument, svgText } from "./svg.ts";

/** Up to so many devices are dots; more are the cells of a heat map. */
const MOST_DOTTED = 30;
const MOST_DEVICES = 140;
const MOST_LABELS = 40;

const MARGIN = 28;
const HEAD = 62;
const SIZES = 72;
const GAP = 14;
const TOTALS = 96;
const FOOT = 74;

/**
 * Devices across, labels down:
 *
 *     ▂ █ ▁ ▃      examples on each device
 *     ● · ● ·  0 ▬▬▬    how many examples the fleet has of each label
 *     · ● · ●  1 ▬▬
 *
 * A dot's area is a number of examples; a cell's shade, where devices are many, the share of the device's examples.
 */
export function whoHoldsWhat(held: HeldLabels): string {
  const devices = foldDevices(held, MOST_DEVICES, MOST_DOTTED);
  const labels = foldLabels(held, MOST_LABELS);
  const dotted = devices.length <= MOST_DOTTED;
  const column = dotted ? Math.min(34, 640 / devices.length) : Math.max(5, Math.min(20, 700 / devices.length));
  const row = dotted ? Math.min(34, column) : Math.max(13, Math.min(26, 300 / labels.length));
  const names = labels.map((label) => shortName(held.labels[label]));
  const largest = countText(Math.max(...devices.map(({ examples }) => examples)));
  const nameWidth = 10 + 7 * Math.max(largest.length, ...names.map((name) => name.length));
  const grid = {
    x: MARGIN + nameWidth,
    y: HEAD + SIZES + GAP,
    width: column * devices.length,
    height: row * labels.length,
    column,
    row,
  };
  const width = Math.max(560, grid.x + grid.width + GAP + TOTALS + MARGIN);
  const height = grid.y + grid.height + FOOT;
  return svgDocument(
    { width: rounded(width), height: rounded(height) },
    { title: held.title, description: held.subtitle },
    [
      svgText(MARGIN, 30, held.title, { size: 17, weight: 600 }),
      svgText(MARGIN, 49, held.subtitle, { fill: PAPER_COLOURS.faint }),
      ...sizeBars(devices, grid),
      ...labelRows(names, grid, dotted),
      ...(dotted ? dots(devices, labels, grid) : cells(devices, labels, grid)),
      ...totalBars(held, labels, grid),
      ...foot(held, devices, labels, dotted, grid),
    ],
  );
}

interface Grid {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly column: number;
  readonly row: number;
}

function sizeBars(devices: readonly HeldByDevice[], { x, y, width, column }: Grid): string[] {
  const largest = Math.max(...devices.map(({ examples }) => examples));
  const base = y - GAP;
  const thickness = column > 8 ? column * 0.7 : column - 1;
  return [
    `<line x1="${rounded(x)}" x2="${rounded(x + width)}" y1="${base}" y2="${base}" stroke="${PAPER_COLOURS.rule}"/>`,
    svgText(x - 10, base - SIZES + 20, countText(largest), { anchor: "end", size: 11, fill: PAPER_COLOURS.faint }),
    svgText(x - 10, base, "0", { anchor: "end", size: 11, fill: PAPER_COLOURS.faint }),
    svgText(x + width + GAP, base - SIZES + 20, "examples", { size: 11, fill: PAPER_COLOURS.faint }),
    svgText(x + width + GAP, base - SIZES + 34, "on a device", { size: 11, fill: PAPER_COLOURS.faint }),
    ...devices.map(({ device, examples }, i) => {
      const tall = Math.max(0.5, ((SIZES - 16) * examples) / largest);
      const left = x + i * column + (column - thickness) / 2;
      return `<rect x="${rounded(left)}" y="${rounded(base - tall)}" width="${rounded(thickness)}" height="${rounded(tall)}" fill="${PAPER_COLOURS.faint}"><title>device ${device}: ${countText(examples)} examples</title></rect>`;
    }),
  ];
}

function labelRows(names: readonly string[], { x, y, width, row }: Grid, ruled: boolean): string[] {
  return names.flatMap((name, i) => {
    const middle = y + (i + 0.5) * row;
    const rule = `<line x1="${rounded(x)}" x2="${rounded(x + width)}" y1="${rounded(middle)}" y2="${rounded(middle)}" stroke="${PAPER_COLOURS.rule}"/>`;
    return [...(ruled ? [rule] : []), svgText(x - 10, middle + 4, name, { anchor: "end" })];
  });
}

function dots(devices: readonly HeldByDevice[], labels: readonly number[], { x, y, column, row }: Grid): string[] {
  const most = largestCount(devices, labels);
  const largest = largestRadius({ column, row });
  return devices.flatMap(({ device, counts }, i) =>
    labels.flatMap((label, j) => {
      if (counts[label] === 0) return [];
      const r = dotRadius(counts[label], most, largest);
      return [
        `<circle cx="${rounded(x + (i + 0.5) * column)}" cy="${rounded(y + (j + 0.5) * row)}" r="${rounded(r)}" fill="${PAPER_COLOURS.device}"><title>device ${device}: ${countText(counts[label])}</title></circle>`,
      ];
    }),
  );
}

function largestRadius({ column, row }: Pick<Grid, "column" | "row">): number {
  return 0.46 * Math.min(column, row);
}

/** The area is the number. */
function dotRadius(count: number, most: number, largest: number): number {
  return Math.max(0.8, largest * Math.sqrt(count / most));
}

/** One path a shade, because a document of a rectangle a cell would be slow to open. */
function cells(devices: readonly HeldByDevice[], labels: readonly number[], { x, y, column, row }: Grid): string[] {
  const shades = new Map<number, string[]>();
  for (const [i, { counts, examples }] of devices.entries()) {
    for (const [j, label] of labels.entries()) {
      if (counts[label] === 0) continue;
      const shade = shadeOf(counts[label] / examples);
      const path = `M${rounded(x + i * column)} ${rounded(y + j * row + 1)}h${rounded(column - 0.5)}v${rounded(row - 2)}h${-rounded(column - 0.5)}z`;
      shades.set(shade, [...(shades.get(shade) ?? []), path]);
    }
  }
  return [...shades]
    .sort(([a], [b]) => a - b)
    .map(([shade, paths]) => `<path fill="${PAPER_COLOURS.device}" fill-opacity="${shade}" d="${paths.join("")}"/>`);
}

/** Of a share, in twentieths: its square root, so that small shares are told from none. */
function shadeOf(share: number): number {
  return Math.max(0.08, Math.round(Math.sqrt(share) * 20) / 20);
}

function totalBars({ devices }: HeldLabels, labels: readonly number[], { x, y, width, row }: Grid): string[] {
  const totals = labels.map((label) => devices.reduce((sum, { counts }) => sum + counts[label], 0));
  const most = Math.max(...totals, 1);
  const thickness = Math.min(10, row * 0.5);
  return totals.flatMap((total, j) => {
    const middle = y + (j + 0.5) * row;
    const long = ((TOTALS - 44) * total) / most;
    return [
      `<rect x="${rounded(x + width + GAP)}" y="${rounded(middle - thickness / 2)}" width="${rounded(long)}" height="${rounded(thickness)}" fill="${PAPER_COLOURS.faint}"/>`,
      svgText(x + width + GAP + long + 5, middle + 4, countText(total), { size: 11, fill: PAPER_COLOURS.faint }),
    ];
  });
}

function foot(
  held: HeldLabels,
  devices: readonly HeldByDevice[],
  labels: readonly number[],
  dotted: boolean,
  { x, y, width, height, column, row }: Grid,
): string[] {
  const bottom = y + height;
  const { devices: counted, fleet, labels: all } = held;
  const left = all.length - labels.length;
  return [
    svgText(x + width / 2, bottom + 18, foldedDevicesText(held, devices.length, MOST_DOTTED), {
      anchor: "middle",
      fill: PAPER_COLOURS.faint,
    }),
    ...(dotted
      ? dotLegend(largestCount(devices, labels), largestRadius({ column, row }), x, bottom + 48)
      : shadeLegend(x, bottom + 48)),
    ...(left > 0 || counted.length < fleet
      ? [
          svgText(
            x + 290,
            bottom + 52,
            left > 0 ? `${left} rarer labels are not shown` : "totals are of the devices counted",
            {
              fill: PAPER_COLOURS.faint,
              size: 11,
            },
          ),
        ]
      : []),
  ];
}

function dotLegend(most: number, largest: number, x: number, y: number): string[] {
  const steps = [...new Set([1, 0.25, 0.05].map((share) => Math.max(1, Math.round(most * share))))];
  let left = x + 62;
  return [
    svgText(x, y + 4, "examples", { size: 11, fill: PAPER_COLOURS.faint }),
    ...steps.flatMap((count) => {
      const r = dotRadius(count, most, largest);
      const centre = left + r;
      left = centre + r + 24 + 7 * countText(count).length;
      return [
        `<circle cx="${rounded(centre)}" cy="${rounded(y)}" r="${rounded(r)}" fill="${PAPER_COLOURS.device}"/>`,
        svgText(centre + r + 5, y + 4, countText(count), { size: 11 }),
      ];
    }),
  ];
}

function shadeLegend(x: number, y: number): string[] {
  return [
    svgText(x, y + 4, "share of a device", { size: 11, fill: PAPER_COLOURS.faint }),
    ...[0.01, 0.1, 0.5, 1].flatMap((share, i) => [
      `<rect x="${rounded(x + 100 + 46 * i)}" y="${rounded(y - 6)}" width="12" height="12" fill="${PAPER_COLOURS.device}" fill-opacity="${shadeOf(share)}"/>`,
      svgText(x + 115 + 46 * i, y + 4, `${100 * share}%`, { size: 11 }),
    ]),
  ];
}

function largestCount(devices: readonly HeldByDevice[], labels: readonly number[]): number {
  return devices.reduce((most, { counts }) => labels.reduce((m, label) => Math.max(m, counts[label]), most), 1);
}

/** A label's name as it fits beside its row; characters that do not show have a name. */
function shortName(name: string): string {
  const shown = name === " " ? "space" : name === "\n" ? "newline" : name;
  return shown.length <= 14 ? shown : `${shown.slice(0, 13)}…`;
}

function countText(value: number): string {
  return value.toLocaleString("en-US");
}
