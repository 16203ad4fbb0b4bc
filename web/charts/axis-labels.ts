import { CHART_TEXT, textWidth } from "./text-width.ts";

export interface AxisLabel {
  /** The middle of it. */
  readonly at: number;
  readonly text: string;
}

/** Between two labels side by side. */
const GAP = 8;

/** Of numbers under an axis so many that none covers another: every one, every second, and so on. */
export function withoutOverlap(labels: readonly AxisLabel[]): readonly AxisLabel[] {
  return everyFew(labels, (left, right) => right.at - left.at - (textWidth(left.text) + textWidth(right.text)) / 2);
}

export interface NameLayout {
  /** Read from the bottom to the top, where side by side there is no room. */
  readonly turned: boolean;
  readonly labels: readonly AxisLabel[];
  /** Of the space under the axis that they take. */
  readonly height: number;
}

/** Names under an axis: all of them as long as they can be read. */
export function layOutNames(labels: readonly AxisLabel[]): NameLayout {
  const flat = withoutOverlap(labels);
  if (flat.length === labels.length) return { turned: false, labels, height: CHART_TEXT };
  const turned = everyFew(labels, (left, right) => right.at - left.at - CHART_TEXT + GAP - 1);
  return { turned: true, labels: turned, height: Math.max(...turned.map(({ text }) => textWidth(text))) };
}

function everyFew(
  labels: readonly AxisLabel[],
  gap: (left: AxisLabel, right: AxisLabel) => number,
): readonly AxisLabel[] {
  for (let stride = 1; stride < labels.length; stride++) {
    const kept = labels.filter((_, i) => i % stride === 0);
    if (kept.every((label, i) => i === 0 || gap(kept[i - 1], label) >= GAP)) return kept;
  }
  return labels.slice(0, 1);
}
