/**
 * About how wide a text is in a chart, in the chart's units: a page that nobody's script lays out has to know beforehand.
 * The figures are of DejaVu Sans, which is among the widest of what `system-ui` may be.
 */
export function textWidth(text: string, size: number = CHART_TEXT): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width * size;
}

/** Of a chart's text, as the style sheet has it. */
export const CHART_TEXT = 13;

/** In em. */
function characterWidth(character: string): number {
  if (/[iljtfrI.,:;'|!()[\] -]/.test(character)) return 0.42;
  if (/[mwMW%@=+<>#…\u2e80-\uffff]/.test(character)) return 1;
  if (/[A-Z&]/.test(character)) return 0.79;
  return 0.66;
}
