/** A label that wants to stand at a height. */
export interface WantedLabel {
  readonly y: number;
}

/**
 * Heights near the wanted ones, in the same order, at least `gap` apart and between the bounds where there is room: so that
 * labels at the ends of lines do not cover each other.
 */
export function spreadLabels(labels: readonly WantedLabel[], gap: number, low: number, high: number): number[] {
  const order = labels.map((_, i) => i).sort((a, b) => labels[a].y - labels[b].y);
  const heights = new Array<number>(labels.length).fill(0);
  let last = low - gap;
  for (const i of order) {
    heights[i] = Math.max(labels[i].y, last + gap);
    last = heights[i];
  }
  // Push back up from the bottom what has gone beyond it.
  let next = high + gap;
  for (const i of [...order].reverse()) {
    heights[i] = Math.min(heights[i], next - gap);
    next = heights[i];
  }
  return heights;
}
