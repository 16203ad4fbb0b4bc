import { CHART_TEXT } from "./text-width.ts";

/** How a series is drawn: colour, dash and mark tell it apart, so that colour alone never has to (`demo.md` 2.5). */
export interface SeriesStyle {
  /** Names a CSS custom property that {@link CHART_CSS} defines for both themes. */
  readonly colour: string;
  readonly dash: string;
  readonly mark: "circle" | "square" | "triangle" | "diamond" | "cross";
}

const STYLES: readonly SeriesStyle[] = [
  { colour: "var(--series-1)", dash: "", mark: "circle" },
  { colour: "var(--series-2)", dash: "7 4", mark: "square" },
  { colour: "var(--series-3)", dash: "2 4", mark: "triangle" },
  { colour: "var(--series-4)", dash: "9 3 2 3", mark: "diamond" },
  { colour: "var(--ink)", dash: "4 4", mark: "cross" },
];

/** The first five differ in everything; later ones take up a colour again with another mark. */
export function seriesStyle(index: number): SeriesStyle {
  const style = STYLES[index % STYLES.length];
  const { mark } = STYLES[(index + Math.floor(index / STYLES.length)) % STYLES.length];
  return { ...style, mark };
}

/** Okabe and Ito's colours: on white each has a contrast of 3 : 1 at least, and labels are ink (`demo.md` 2.5). */
export const CHART_CSS = `
:root { color-scheme: light dark; --paper: #ffffff; --ink: #111827; --faint: #4b5563; --rule: #d1d5db;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #a8548a; }
@media (prefers-color-scheme: dark) { :root { --paper: #111827; --ink: #f9fafb; --faint: #c7ccd4; --rule: #4b5563;
  --series-1: #56b4e9; --series-2: #ff8a3d; --series-3: #2fc79a; --series-4: #dd92b8; } }
@media print { :root { --paper: #ffffff; --ink: #000000; --faint: #333333; --rule: #bbbbbb;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #a8548a; } }
.chart { width: 100%; height: auto; max-width: 760px; display: block; font: ${CHART_TEXT}px system-ui, sans-serif; }
/* On a narrow screen it is moved sideways: fitted to the screen, nobody could read it. */
@media screen and (max-width: 40rem) { .chart { width: 620px; max-width: none; } }
.chart text { fill: var(--ink); } .chart .faint { fill: var(--faint); }
.chart .rule { stroke: var(--rule); stroke-width: 1; } .chart .axis { stroke: var(--ink); stroke-width: 1; }
`;
