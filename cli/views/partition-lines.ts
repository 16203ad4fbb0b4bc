import type { Heterogeneity } from "../../simulations/datasets/heterogeneity.ts";
import type { LabelCounts } from "../../simulations/datasets/label-counts.ts";
import { foldDevices, foldedDevicesText, foldLabels, type HeldLabels } from "../../web/charts/held-labels.ts";
import type { Colours } from "./colours.ts";
import { countText, decimalText, filled } from "./figures.ts";

const MOST_ROWS = 20;
const BAR = 16;

/** What was counted, as a plot draws it. */
export function heldLabels(
  dataset: string,
  partition: string,
  fleet: number,
  { labels, devices, sizes, of }: LabelCounts,
  heterogeneity: Heterogeneity,
): HeldLabels {
  return {
    title: `Who holds what: ${dataset}, ${partition}`,
    subtitle: `Labels differ by ${decimalText(heterogeneity.labelDistance, 2)} (total variation; by chance ${decimalText(heterogeneity.labelDistanceByChance, 2)}), sizes by a Gini coefficient of ${decimalText(heterogeneity.sizeGini, 2)}.`,
    labels,
    fleet,
    // Twice what chance alone does is a skew that can be seen.
    skew: heterogeneity.labelDistance > 2 * heterogeneity.labelDistanceByChance ? "labels" : "sizes",
    devices: Array.from(devices, (device, i) => ({
      device,
      examples: sizes[i],
      counts: [...of.subarray(i * labels.length, (i + 1) * labels.length)],
    })),
  };
}

/** The plot in characters: a line a device, a column a label, the shade a label's share of the device's examples. */
export function partitionLines(
  held: HeldLabels,
  heterogeneity: Heterogeneity,
  paint: Colours,
  columns: number,
): string[] {
  const devices = foldDevices(held, MOST_ROWS);
  const nameWidth = Math.max(6, ...devices.map(({ device }) => String(device).length));
  const room = columns - nameWidth - BAR - 12;
  const cell = held.labels.length * 3 <= room ? 3 : held.labels.length * 2 <= room ? 2 : 1;
  const labels = foldLabels(held, Math.floor(room / cell));
  const largest = devices.reduce((most, { examples }) => Math.max(most, examples), 0);
  const head = labels.map((label) => shortLabel(held.labels[label], label, cell)).join("");
  return [
    paint.bold(held.title),
    "",
    paint.dim(`${"device".padStart(nameWidth)}  ${head}  examples`),
    ...devices.map(({ device, examples, counts }) => {
      const shades = labels.map((label) =>
        shade(counts[label] / examples)
          .repeat(Math.max(1, cell - 1))
          .padEnd(cell),
      );
      const bar = "▬".repeat(Math.max(1, Math.round((BAR * examples) / largest)));
      return `${String(device).padStart(nameWidth)}  ${paint.device(shades.join(""))}  ${bar} ${countText(examples)}`;
    }),
    paint.dim(`${" ".repeat(nameWidth)}  ${legend()}`),
    ...folded(held, devices.length, labels.length).map((line) => paint.dim(line)),
    "",
    ...figures(held, heterogeneity, paint, columns),
  ];
}

function figures(held: HeldLabels, figures: Heterogeneity, paint: Colours, columns: number): string[] {
  const { labelDistance, labelDistanceByChance, sizeGini, smallest, median, largest } = figures;
  const examples = held.devices.reduce((sum, device) => sum + device.examples, 0);
  const of = held.devices.length === held.fleet ? "" : ` counted of ${countText(held.fleet)}`;
  const distance = `mean total variation distance to everybody's; ${decimalText(labelDistanceByChance, 2)} by chance alone`;
  const sizes = `Gini coefficient; ${countText(smallest)} to ${countText(largest)} examples, median ${countText(median)}`;
  return [
    `devices  ${paint.bold(countText(held.devices.length))}${of}, with ${countText(examples)} examples`,
    ...filled(`labels   ${paint.bold(decimalText(labelDistance, 2))} of 1: ${distance}`, columns, 9),
    ...filled(`sizes    ${paint.bold(decimalText(sizeGini, 2))} of 1: ${sizes}`, columns, 9),
  ];
}

function folded(held: HeldLabels, devices: number, labels: number): string[] {
  const parts = [
    ...(devices < held.devices.length ? [foldedDevicesText(held, devices, MOST_ROWS)] : []),
    ...(labels < held.labels.length ? [`the ${labels} most frequent of ${held.labels.length} labels`] : []),
  ];
  return parts.length === 0 ? [] : [parts.join("; ")];
}

/** Shades with the share from which each is used. */
const SHADES: readonly (readonly [string, number])[] = [
  ["█", 0.5],
  ["▓", 0.2],
  ["▒", 0.05],
  ["░", Number.MIN_VALUE],
  ["·", 0],
];

function shade(share: number): string {
  return SHADES.find(([, from]) => share >= from)?.[0] ?? " ";
}

function legend(): string {
  return "· none  ░ some  ▒ 5%  ▓ 20%  █ 50% or more of a device's examples";
}

/** A label's name where it fits its column, else its number, else a dot every second one. */
function shortLabel(name: string, label: number, cell: number): string {
  const shown = name === " " ? "␣" : name === "\n" ? "⏎" : name;
  const fitting = [...shown].length < Math.max(2, cell) ? shown : String(label);
  return fitting.length < Math.max(2, cell) ? fitting.padEnd(cell) : " ".repeat(cell);
}
